import { InvalidArgumentError } from 'commander';

const UUID = /^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/i;

/** Reads an id off the command line; `whose` says where the right one is found. */
export function uuid(whose: string): (value: string) => string {
  return (value) => {
    if (!UUID.test(value)) throw new InvalidArgumentError(`Write ${whose}.`);
    return value;
  };
}
