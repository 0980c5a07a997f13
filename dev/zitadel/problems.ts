/** google.rpc.Status, with the one detail that Zitadel gives. */
export function problem(code: number, reason: string, id?: string) {
  const detail = {
    '@type': 'type.googleapis.com/zitadel.v1.ErrorDetail',
    ...(id && { id }),
    message: reason,
  };
  return { code, message: `${reason} (${id ?? ''})`, details: [detail] };
}

/** gRPC codes, as the gateway of Zitadel writes them. */
const GRPC: Readonly<Record<number, number>> = { 400: 9, 403: 7, 404: 5, 409: 6, 500: 2 };

const VALUES = /^(?:CRYPT|COMMA|DOMAIN)-|^(?:COMMAND-(?:Wgn4q|EvAtufIinh|NcJUKo)|INSTANCE-3m9fs)$/;

/** Values that are refused are invalid arguments, states that refuse a command are preconditions. */
export function grpcCode(status: number, id: string): number {
  const value = status === 400 && VALUES.test(id);
  return value ? 3 : (GRPC[status] ?? 2);
}

const CONNECT: Readonly<Record<number, string>> = {
  400: 'failed_precondition',
  403: 'permission_denied',
  404: 'not_found',
  409: 'already_exists',
};

/** The same over Connect, where the detail is packed, and readable below `debug`. */
export function connectProblem(status: number, reason: string, id: string) {
  return {
    code: CONNECT[status] ?? 'unknown',
    message: `${reason} (${id})`,
    details: [{ type: 'zitadel.v1.ErrorDetail', value: '', debug: { id, message: reason } }],
  };
}
