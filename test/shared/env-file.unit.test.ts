import { parseEnv } from 'node:util';
import { describe, expect, it } from 'vitest';
import { envFile } from '../../dev/env-file.ts';
import { settingsIn } from '../../shared/configuration/env-file.ts';

const read = (text: string) => Object.fromEntries(settingsIn({ file: 'a.env', text }));
const faultOf = (text: string): string => {
  try {
    settingsIn({ file: 'a.env', text });
    return 'none';
  } catch (error) {
    return (error as Error).message.replace('cannot read the variables in a.env: ', '');
  }
};

describe('a line of a file of variables', () => {
  it.each([
    ['at the end', 'A=1\nhush-hush', 2],
    ['at the end, with a line feed', 'A=1\nhush-hush\n', 2],
    ['at the beginning', 'hush-hush\nA=1', 1],
    ['in between', 'A=1\n\n# c\nhush-hush\nB=2', 4],
    ['behind a value of several lines', 'A="1\n2"\nhush-hush', 3],
    ['of Windows', 'A=1\r\nhush-hush\r\nB=2\r\n', 2],
    ['with a colon', 'A=1\nREDIS_URL: hush-hush', 2],
    ['without a name', 'A=1\n=hush-hush\nB=2', 2],
    ['with a space within its name', 'A=1\nHUSH HUSH=1', 2],
    ['with a name in quotes', 'A=1\n"HUSH"=hush', 2],
    ['that is only exported', 'A=1\nexport HUSH', 2],
  ])('that is no setting, %s, is a fault by its number alone', (_where, text, line) => {
    expect(faultOf(text)).toBe(`line ${line} is not NAME=value`);
  });

  it('whose quote is not closed, or closed too early, is one too', () => {
    expect(faultOf('A=1\nB="hush\nC=3')).toBe('line 2 opens a quote that is not closed');
    expect(faultOf("B='")).toBe('line 1 opens a quote that is not closed');
    expect(faultOf('A=1\nB="[{"path":"/hush"}]"')).toBe('line 2 goes on behind its closing quote');
    // The quote of the third line closes that of the first.
    expect(faultOf('A="hush\nB=2\nC="hush"\n')).toBe('line 3 goes on behind its closing quote');
  });

  it.each([
    ['A=1', { A: '1' }],
    ['A=1\nB=', { A: '1', B: '' }],
    ['A=\nB=1', { A: '', B: '1' }],
    [' A = b \n\n#c\n  # indented = comment\nB=c#d', { A: 'b', B: 'c' }],
    ['export A=1\nexport\tB=2\n export  C=3', { A: '1', B: '2', C: '3' }],
    ['A="x\\ny" # c\nB=\'x\\ny\'\nC=`"\'`#c', { A: 'x\ny', B: 'x\\ny', C: '"\'' }],
    ['A="1\n# no comment\n=2"\nB=3', { A: '1\n# no comment\n=2', B: '3' }],
    ['A=1\r\nB="2\r\n3"\r\n', { A: '1', B: '2\n3' }],
    ['A=1\rB=2', { A: '1', B: '2' }],
    ['A=[{"path":"/x"}]\nA=2\u20283', { A: '2\u20283' }],
    ['A.b-c=1', { 'A.b-c': '1' }],
    ['', {}],
  ])('%j is read', (text, expected) => {
    expect(read(text)).toEqual(expected);
  });

  it('of a file that has settings alone is read as Node reads it', () => {
    const text = envFile({ A: '1', B: 'two words', C: '{"a":"#\\n"}', D: "it's\n\nD=4", E: '' });
    expect(read(text)).toEqual(parseEnv(text));
  });
});
