import unhomoglyph from 'unhomoglyph';

/** Of each character, once: the package searches thousands of them. */
const PROTOTYPES = new Map<string, string>();

/** The skeleton of a text, the same for texts that look alike: UTS #39 §4, by the confusables of Unicode. */
export function skeleton(text: string): string {
  let plain = '';
  for (const character of text.normalize('NFD')) {
    let prototype = PROTOTYPES.get(character);
    if (prototype === undefined) {
      prototype = unhomoglyph(character);
      PROTOTYPES.set(character, prototype);
    }
    plain += prototype;
  }
  return plain.normalize('NFD');
}
