// A Worker that only forwards; with CHECK_URL it first asks that URL for a relation, by plain fetch.
export default {
  async fetch(request, env) {
    if (env.CHECK_URL !== undefined) {
      const headers = { 'content-type': 'application/json' };
      const answer = await fetch(env.CHECK_URL, { method: 'POST', headers, body: env.CHECK_BODY });
      if (!(await answer.json()).allowed) return new Response(null, { status: 403 });
    }
    const { pathname, search } = new URL(request.url);
    return fetch(new Request(env.UPSTREAM_URL + pathname + search, request));
  },
};
