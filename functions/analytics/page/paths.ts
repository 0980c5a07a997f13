/** A name as part of a path, or the id where the name has what a path does not take as it is written. */
export function pathPart(name: string, id: string): string {
  return /^[a-z\d][\w.-]*$/i.test(name) ? name : id;
}
