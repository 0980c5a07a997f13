/** OpenFGA's own numbers: the range decides the HTTP status, the name is what clients see as `code`. */
const ERROR_NUMBERS = {
  bearer_token_missing: 1010,
  unauthenticated: 1500,
  validation_error: 2000,
  authorization_model_not_found: 2001,
  authorization_model_resolution_too_complex: 2002,
  invalid_write_input: 2003,
  cannot_allow_duplicate_tuples_in_one_request: 2004,
  invalid_continuation_token: 2007,
  invalid_expand_input: 2010,
  write_failed_due_to_invalid_input: 2017,
  latest_authorization_model_not_found: 2020,
  type_not_found: 2021,
  relation_not_found: 2022,
  invalid_tuple: 2027,
  assertions_too_many_items: 2033,
  tuple_key_value_not_specified: 2037,
  page_size_invalid: 2039,
  difference_base_missing_value: 2041,
  subtract_base_missing_value: 2042,
  type_definitions_too_few_items: 2045,
  type_invalid_pattern: 2047,
  relations_invalid_pattern: 2050,
  query_string_type_continuation_token_mismatch: 2052,
  exceeded_entity_limit: 2053,
  invalid_authorization_model: 2056,
  internal_error: 4000,
  deadline_exceeded: 4004,
  resource_exhausted: 4006,
  undefined_endpoint: 5000,
  store_id_not_found: 5002,
  unimplemented: 5004,
} as const;

export type ErrorCode = keyof typeof ERROR_NUMBERS;

export function isErrorCode(value: unknown): value is ErrorCode {
  return typeof value === 'string' && Object.hasOwn(ERROR_NUMBERS, value);
}

export class FgaError extends Error {
  override readonly name = 'FgaError';

  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string) {
    super(message);
    this.code = code;
  }

  get status(): number {
    const number = ERROR_NUMBERS[this.code];
    if (number < 2000) return 401;
    if (number < 3500) return 400;
    if (number < 4000) return 422;
    return number < 5000 ? 500 : 404;
  }
}

export function validationError(message: string): FgaError {
  return new FgaError('validation_error', message);
}

export function conditionsUnsupported(): FgaError {
  return validationError('conditions are not supported by the stand-in');
}

export function typeNotFound(type: string): FgaError {
  return new FgaError('type_not_found', `type '${type}' not found`);
}

export function relationNotFound(type: string, relation: string): FgaError {
  return new FgaError('relation_not_found', `relation '${type}#${relation}' not found`);
}

export function resolutionTooComplex(): FgaError {
  return new FgaError(
    'authorization_model_resolution_too_complex',
    'Authorization Model resolution required too many rewrite rules to be resolved. ' +
      'Check your authorization model for infinite recursion or too much nesting',
  );
}
