import type { RelationQuery, Relations } from '../../shared/ports/relations.ts';

/** Relations whose answers the test gives by hand. */
export class AskedRelations implements Relations {
  readonly asked: RelationQuery[] = [];
  answer: (query: RelationQuery) => Promise<boolean> = async () => true;

  check(query: RelationQuery): Promise<boolean> {
    this.asked.push(query);
    return this.answer(query);
  }

  async ping(): Promise<void> {}

  /** From now on one verdict, which comes when the test says so. */
  pending() {
    let resolve!: (value: boolean) => void;
    let reject!: (error: unknown) => void;
    const promise = new Promise<boolean>((...settle) => ([resolve, reject] = settle));
    this.answer = () => promise;
    return { resolve, reject };
  }
}
