/**
 * What is tried first: words that people take, by themselves or dressed up. Each stands for its forms in capitals, with digits and signs at
 * either end, with digits in the place of letters, and twice in a row, so a few hundred words are some ten thousand passwords.
 */
const WORDS = new Set(
  `password passwort passwd passphrase pass secret geheim kennwort motdepasse contrasena senha parola haslo salasana wachtwoord
  letmein welcome willkommen bienvenue bienvenido benvenuto welkom hello hallo bonjour ciao hola
  admin administrator root user guest test testing tester demo default changeme change login logon signin access master
  super superuser superman batman spiderman ironman wonderwoman starwars startrek pokemon pikachu minecraft fortnite
  iloveyou loveyou loveme lovely love lover forever together sweetheart honey darling babygirl babyboy baby angel princess prince
  sunshine moonlight rainbow summer winter spring autumn sommer herbst frühling january february march april june july august
  september october november december monday tuesday wednesday thursday friday saturday sunday
  football fussball soccer baseball basketball hockey tennis golf cricket rugby champion champions liverpool arsenal chelsea
  barcelona realmadrid juventus bayern borussia yankees lakers cowboys steelers
  monkey dragon tiger lion eagle falcon panther wolf shadow hunter ranger killer warrior ninja samurai pirate phoenix unicorn
  dolphin butterfly flower rose daisy lily violet cookie chocolate cheese banana apple orange cherry strawberry pepper ginger
  computer internet google facebook twitter instagram whatsapp linkedin youtube amazon microsoft windows apple samsung android iphone
  linux ubuntu debian oracle mysql postgres database server network system security private public office company business
  money dollar million lucky lottery casino diamond silver golden platinum crystal
  michael jessica jennifer thomas daniel andrew joshua matthew robert charlie jordan ashley amanda nicole hannah samantha
  alexander anthony william joseph christopher benjamin elizabeth stephanie victoria michelle martin andreas stefan sabine
  mercedes porsche ferrari yamaha harley corvette mustang camaro toyota honda
  london paris berlin vienna madrid rome newyork chicago boston dallas texas california america england germany france
  freedom peace heaven jesus christ church blessed trustno trustme whatever nothing something anything everything
  purple yellow orange green black white silver magic mystery matrix hacker gamer player winner
  qwerty qwertz azerty qwertyuiop qwertzuiop azertyuiop asdf asdfgh asdfghjkl zxcv zxcvbn zxcvbnm yxcv yxcvbnm qazwsx qazwsxedc
  wasd poiuy mnbvcxz abcd abcdef abcdefgh abcdefghijkl aaaa abcabc xyz xxxx temp temporary dummy example sample
  correcthorsebatterystaple`.split(/\s+/),
);

/** Rows of keyboards, the alphabet and the digits, forwards and backwards: parts of them are walks. */
const ROWS = [
  'abcdefghijklmnopqrstuvwxyz',
  '01234567890',
  'qwertyuiop',
  'qwertzuiop',
  'azertyuiop',
  'asdfghjklöä',
  'asdfghjkl;',
  'zxcvbnm,./',
  'yxcvbnm,.-',
  '1q2w3e4r5t6y7u8i9o0p',
  '1qaz2wsx3edc4rfv5tgb6yhn',
  'q1w2e3r4t5y6u7i8o9p0',
  '!@#$%^&*()',
  '147258369',
  '741852963',
].flatMap((row) => [row, Array.from(row).reverse().join('')]);

const LETTERS: Readonly<Record<string, string>> = {
  ...{ '0': 'o', '1': 'i', '3': 'e', '4': 'a', '5': 's', '7': 't', '8': 'b', '9': 'g' },
  ...{ '@': 'a', $: 's', '!': 'i', '|': 'l', '+': 't' },
};

const EDGES = /^[^\p{L}]+|[^\p{L}]+$/gu;

/** Whether a password is among those that are tried first. `personal`: words that belong to the account, as its address. */
export function isCommon(password: string, personal: readonly string[]): boolean {
  const plain = password.toLowerCase().replaceAll(/\s/g, '');
  const own = personal.map((word) => word.toLowerCase()).filter((word) => word.length >= 4);
  const forms = [
    plain,
    plain.replaceAll(EDGES, ''),
    withLetters(plain),
    withLetters(plain.replaceAll(EDGES, '')),
  ];
  const isWord = (text: string): boolean => WORDS.has(text) || own.includes(text);
  return (
    forms.some((form) => isWord(form) || isWord(form.replaceAll(EDGES, '')) || isWord(once(form))) ||
    isWalk(plain)
  );
}

/** P4$$w0rd. */
function withLetters(text: string): string {
  return Array.from(text)
    .map((character) => LETTERS[character] ?? character)
    .join('');
}

/** What a text is a repetition of: itself, where it is none. */
function once(text: string): string {
  for (let length = 1; length <= text.length / 2; length += 1)
    if (text.length % length === 0 && text.slice(0, length).repeat(text.length / length) === text)
      return text.slice(0, length);
  return text;
}

/** One character, or one walk over a keyboard, in any repetition: 11111111, 12345678, qwertyqwerty; and two walks after each other. */
function isWalk(text: string): boolean {
  const part = once(text);
  if (Array.from(part).length <= 2) return true;
  const isPart = (piece: string): boolean => ROWS.some((row) => row.includes(piece));
  if (isPart(part)) return true;
  for (let at = 3; at <= part.length - 3; at += 1)
    if (isPart(part.slice(0, at)) && isPart(part.slice(at))) return true;
  return false;
}
