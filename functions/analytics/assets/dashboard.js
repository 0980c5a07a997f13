// Renews what has changed, and shows what is pointed at. The page is whole without it.
const EVERY_MS = 30_000;
const said = document.getElementById('said');

const tip = document.createElement('div');
tip.className = 'tip';
tip.hidden = true;
tip.setAttribute('aria-hidden', 'true');
document.body.append(tip);

document.addEventListener('pointermove', ({ target, clientX, clientY }) => {
  const text = target instanceof Element ? target.closest('[data-tip]')?.getAttribute('data-tip') : undefined;
  tip.hidden = text == null;
  if (text == null) return;
  tip.textContent = text;
  const left = Math.min(clientX + 12, document.documentElement.clientWidth - tip.offsetWidth - 8);
  tip.style.left = `${Math.max(8, left)}px`;
  tip.style.top = `${Math.max(8, clientY - 34)}px`;
});

/** Parts that are being read or used stay as they are until the next time. */
function isInUse(part) {
  const selection = document.getSelection();
  return (
    part.contains(document.activeElement) ||
    (selection !== null && !selection.isCollapsed && selection.containsNode(part, true))
  );
}

function replace(part, next) {
  const open = [...part.querySelectorAll('details')].map((each) => each.open);
  const scrolled = [...part.querySelectorAll('.scroll')].map((each) => [each.scrollLeft, each.scrollTop]);
  part.replaceChildren(...next.childNodes);
  part.querySelectorAll('details').forEach((each, at) => {
    each.open = open[at] ?? false;
  });
  part.querySelectorAll('.scroll').forEach((each, at) => {
    [each.scrollLeft, each.scrollTop] = scrolled[at] ?? [0, 0];
  });
}

/** `data-live` parts as the server sent them: what the browser makes of them differs. */
const sent = new Map(parts(document).map((part) => [part.id, part.innerHTML]));

function parts(of) {
  return [...of.querySelectorAll('[data-live]')];
}

/** What scrolls is reached by the keyboard, and named; browsers do so themselves by and by. */
function markScrolling() {
  for (const each of document.querySelectorAll('.scroll')) {
    if (each.scrollWidth > each.clientWidth || each.scrollHeight > each.clientHeight) {
      each.tabIndex = 0;
      each.setAttribute('role', 'group');
      each.setAttribute('aria-label', each.querySelector('caption')?.textContent ?? 'Table');
    } else for (const name of ['tabindex', 'role', 'aria-label']) each.removeAttribute(name);
  }
}
markScrolling();
addEventListener('resize', markScrolling);
document.addEventListener('toggle', markScrolling, true);

async function renew() {
  if (document.hidden || !navigator.onLine) return;
  const answer = await fetch(location.href, { headers: { accept: 'text/html' }, cache: 'no-store' });
  if (answer.redirected) {
    said.textContent = 'You are signed out. Load the page again to sign in.';
    said.classList.remove('unseen');
    clearInterval(timer);
    return;
  }
  if (!answer.ok) return;
  const next = new DOMParser().parseFromString(await answer.text(), 'text/html');
  const fresh = new Map(parts(next).map((part) => [part.id, part]));
  const changed = parts(document).filter(
    ({ id }) => fresh.get(id) && fresh.get(id).innerHTML !== sent.get(id),
  );
  if (changed.length === 0) return;
  // Numbers of one page are of one time: while one part is in use, none is renewed.
  if (parts(document).some(isInUse)) return;
  for (const part of changed) {
    const { innerHTML } = fresh.get(part.id);
    replace(part, fresh.get(part.id));
    sent.set(part.id, innerHTML);
  }
  markScrolling();
  const across = document.getElementById('across')?.textContent.trim();
  said.textContent = across ? `Figures renewed: ${across}.` : 'Figures renewed.';
}

let timer;
if (sent.size > 0) {
  const attempt = () => {
    renew().catch(() => undefined);
  };
  timer = setInterval(attempt, EVERY_MS);
  // What became due while the page was hidden.
  document.addEventListener('visibilitychange', attempt);
}

const form = document.getElementById('sign-in');
form?.addEventListener('submit', (event) => {
  event.preventDefault();
  const refused = document.getElementById('refused');
  const { email, password, tenant, return_to: to } = Object.fromEntries(new FormData(form));
  const button = form.querySelector('button');
  button.disabled = true;
  refused.textContent = '';
  fetch(form.action, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ email, password, cookie: true, ...(tenant !== '' && { tenant }) }),
  })
    .then(async (answer) => {
      if (answer.ok) location.assign(to);
      else refused.textContent = (await answer.json()).detail;
    })
    .catch(() => {
      refused.textContent = 'There was no answer. Try again.';
    })
    .finally(() => {
      button.disabled = false;
    });
});
