/** A refusal in OpenFGA's form: its name is what clients see as `code`. */
export class FgaError extends Error {
  override readonly name = 'FgaError';

  readonly code: string;
  readonly status: number;

  constructor(code: string, message: string, status = 400) {
    super(message);
    this.code = code;
    this.status = status;
  }
}

export function validationError(message: string): FgaError {
  return new FgaError('validation_error', message);
}

/** For a part of a request that only a real server can judge: to leave it out would be a wrong answer. */
export function unsupported(what: string): FgaError {
  return validationError(`${what} are not supported by the stand-in`);
}

export function resolutionTooComplex(): FgaError {
  return new FgaError(
    'authorization_model_resolution_too_complex',
    'Authorization Model resolution required too many rewrite rules to be resolved. ' +
      'Check your authorization model for infinite recursion or too much nesting',
  );
}
