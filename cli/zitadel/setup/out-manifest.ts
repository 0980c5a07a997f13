import { parseDocument, type Document } from 'yaml';
import * as z from 'zod';
import { Failure } from '../../failure.ts';
import type { OutFormat } from './out-format.ts';

const NAME = 'sallyport-zitadel';
const PENDING = 'sallyport/being-made.';
const OWNER = 'sallyport/of.';

const Secret = z.object({
  kind: z.literal('Secret'),
  metadata: z.object({ annotations: z.record(z.string(), z.string()).nullish() }),
  data: z.record(z.string(), z.string()).nullish(),
  stringData: z.record(z.string(), z.string()).nullish(),
});

const Annotated = z.object({
  metadata: z.object({ annotations: z.record(z.string(), z.string()).nullish() }),
});

const EMPTY = `apiVersion: v1
kind: Secret
metadata:
  name: ${NAME}
type: Opaque
`;

/** The manifest of a Kubernetes Secret, for `kubectl apply -f`; marks are annotations. */
export const manifestText: OutFormat = {
  read(text) {
    const parsed = Secret.safeParse(documentOf(text).toJS());
    if (!parsed.success) throw new Failure('--out: the file is there and is not the manifest of a Secret');
    const { metadata, data, stringData } = parsed.data;
    const annotations = Object.entries(metadata.annotations ?? {});
    const marked = (prefix: string): (readonly [string, string])[] =>
      annotations.flatMap(([name, value]) =>
        name.startsWith(prefix) ? [[name.slice(prefix.length), value] as const] : [],
      );
    const decoded = Object.entries(data ?? {}).map(
      ([name, value]) => [name, Buffer.from(value, 'base64').toString('utf8')] as const,
    );
    return {
      values: new Map([...decoded, ...Object.entries(stringData ?? {})]),
      pending: new Map(marked(PENDING).map(([name, ids]) => [name, ids === '' ? [] : ids.split(',')])),
      belongs: new Map(marked(OWNER)),
    };
  },
  write(before, { values, pending, belongs }) {
    const document = documentOf(before === '' ? EMPTY : before);
    const earlier = before === '' ? new Map<string, string>() : manifestText.read(before).values;
    for (const [name, value] of values)
      if (earlier.get(name) !== value) {
        if (document.hasIn(['data', name])) document.deleteIn(['data', name]);
        document.setIn(['stringData', name], value);
      }
    const marks = [
      ...[...pending].map(([name, ids]) => [PENDING + name, ids.join(',')] as const),
      ...[...belongs].map(([name, owner]) => [OWNER + name, owner] as const),
    ];
    annotate(document, marks);
    return document.toString({ lineWidth: 0 });
  },
};

function annotate(document: Document, marks: readonly (readonly [string, string])[]): void {
  const { annotations } = Annotated.parse(document.toJS()).metadata;
  const others = Object.entries(annotations ?? {}).filter(
    ([name]) => !name.startsWith(PENDING) && !name.startsWith(OWNER),
  );
  const place = ['metadata', 'annotations'];
  if (others.length + marks.length > 0)
    document.setIn(place, document.createNode(Object.fromEntries([...others, ...marks])));
  else if (document.hasIn(place)) document.deleteIn(place);
}

function documentOf(text: string): Document {
  const document = parseDocument(text);
  if (document.errors.length > 0) throw new Failure('--out: the file is there and is not YAML');
  return document;
}
