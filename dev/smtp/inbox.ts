import PostalMime from 'postal-mime';

export interface InboxMail {
  readonly id: string;
  readonly at: Date;
  /** Of the envelope. */
  readonly from: string;
  readonly to: readonly string[];
  readonly subject: string;
  readonly text: string;
  readonly html: string;
  readonly headers: readonly { readonly key: string; readonly originalKey: string; readonly value: string }[];
  /** As it came. */
  readonly raw: string;
}

export interface Inbox {
  /** Newest first. */
  list(to?: string): readonly InboxMail[];
  get(id: string): InboxMail | undefined;
  add(mail: Pick<InboxMail, 'from' | 'to' | 'raw'>): Promise<void>;
}

/** The oldest goes when another comes. */
const MOST = 1_000;

/** Mails in memory. */
export function createInbox(): Inbox {
  const mails = new Map<string, InboxMail>();
  let next = 1;
  return {
    list: (to) => [...mails.values()].filter((mail) => to === undefined || mail.to.includes(to)).toReversed(),
    get: (id) => mails.get(id),
    async add({ from, to, raw }) {
      const { subject = '', text = '', html = '', headers } = await PostalMime.parse(raw);
      const id = String(next++);
      mails.set(id, { id, at: new Date(), from, to, subject, text, html, headers, raw });
      const [oldest] = mails.keys();
      if (mails.size > MOST && oldest !== undefined) mails.delete(oldest);
    },
  };
}
