import * as z from 'zod';
import { orAbsent } from '../../../shared/zitadel/reader.ts';
import type { ZitadelClient } from '../api/client.ts';
import { TEXTS } from './kinds.ts';
import { Settings, settingsOf } from './model.ts';

/** A text that somebody has changed at some time. */
export interface TextPlace {
  readonly aggregate: string;
  readonly isInstance: boolean;
  /** `message/init` */
  readonly kind: string;
  readonly language: string;
}

const Events = z.object({
  events: z
    .array(
      z.object({
        aggregate: z.object({ id: z.string() }),
        creationDate: z.string(),
        type: z.object({ type: z.string() }),
        payload: z
          .object({ template: z.string().default(''), language: z.string().default('') })
          .prefault({}),
      }),
    )
    .default([]),
});

const PAGE = 1_000;
const TYPES = ['instance.customtext.set', 'org.customtext.set'];

/** From the events: without them each text would have to be asked for in each language of each organisation. */
export async function textPlaces(client: ZitadelClient): Promise<readonly TextPlace[]> {
  const places = new Map<string, TextPlace>();
  let from: string | undefined;
  for (;;) {
    const { events } = await client.call(Events, {
      method: 'POST',
      path: '/admin/v1/events/_search',
      body: { limit: PAGE, asc: true, eventTypes: TYPES, ...(from !== undefined && { from }) },
      right: 'events.read',
    });
    for (const { aggregate, payload, type } of events) {
      const kind = TEXTS[payload.template];
      if (kind === undefined || payload.language === '') continue;
      const place = {
        aggregate: aggregate.id,
        isInstance: type.type === TYPES[0],
        kind,
        language: payload.language,
      };
      places.set(JSON.stringify(place), place);
    }
    if (events.length < PAGE) return [...places.values()];
    // Events of one push share a time, and the next page begins after it: the last push is read again.
    const last = events.at(-1)?.creationDate;
    from = events.findLast(({ creationDate }) => creationDate !== last)?.creationDate ?? last;
  }
}

/** By kind and language, `message/init/en`: those that differ from the release's own. `organization` undefined: the instance's. */
export async function readTexts(
  client: ZitadelClient,
  places: readonly TextPlace[],
  organization: string | undefined,
): Promise<Record<string, Settings>> {
  const own = places.filter(({ aggregate, isInstance }) =>
    organization === undefined ? isInstance : aggregate === organization,
  );
  const texts = await Promise.all(
    own.map(async ({ kind, language }) => {
      const name = `${kind}/${language}`;
      const path = `${textBase(organization)}/${name}`;
      const shape = z.object({ customText: Settings.default({}) });
      const read = await orAbsent(
        client.call(shape, { method: 'GET', path, organization, right: 'policy.read' }),
      );
      const text = read?.customText ?? {};
      return [name, text['isDefault'] === true ? {} : written(text)] as const;
    }),
  );
  return Object.fromEntries(
    texts.filter(([, text]) => Object.keys(text).length > 0).sort(([one], [other]) => (one < other ? -1 : 1)),
  );
}

/** A page of which nothing is written is there all the same, without members. */
function written(text: Settings): Settings {
  return Object.fromEntries(
    Object.entries(settingsOf(text)).filter(
      ([, each]) => typeof each !== 'object' || Object.keys(settingsOf(Settings.parse(each))).length > 0,
    ),
  );
}

export function textBase(organization: string | undefined): string {
  return organization === undefined ? '/admin/v1/text' : '/management/v1/text';
}
