// Who is signed in, and until when. What was on the screen goes when the session does.
import { events, json, send } from './api.js';
import { keep } from './i18n.js';

export const state = { info: { name: '', version: '', oidc: false }, me: null };

// 'change' when somebody signed in or out; .reason of the last sign-out: '', 'ended' or 'idle'.
export const session = Object.assign(new EventTarget(), { reason: '' });

const SEEN = 'galena.seen';
const tabs = new BroadcastChannel('galena'); // the others of this browser, viewers too, have the same session
let idle_ms = 0;
let timer = 0;

export function can(right) {
  return Boolean(state.me?.rights?.includes(right));
}

function changed() {
  session.dispatchEvent(new Event('change'));
}

function lastSeen() {
  try { return Number(localStorage.getItem(SEEN)) || 0; } catch { return 0; }
}

// The archive ends sessions that are not used; other tabs of this browser use the same one.
function watch() {
  clearTimeout(timer);
  if (!state.me || !idle_ms) return;
  const left = Math.max(own, lastSeen()) + idle_ms - Date.now();
  if (left <= 0) forget('idle');
  else timer = setTimeout(watch, Math.min(left + 500, 600000));
}

let own = 0;

function used() {
  const now = Date.now();
  if (now - own < 2000) return;
  own = now;
  keep(SEEN, String(now));
}

export function forget(reason) {
  if (!state.me) return;
  state.me = null;
  session.reason = reason;
  clearTimeout(timer);
  changed();
}

function begin(me) {
  const before = session.user;
  state.me = me;
  session.user = me.user;
  session.another = Boolean(before) && before !== me.user;
  idle_ms = (me.expires_s || 0) * 1000;
  used();
  watch();
  changed();
}

export async function load() {
  state.info = await json('/api/info', { quiet: true });
  if (!state.info.signed_in) return;
  try {
    begin(await json('/api/me', { quiet: true }));
  } catch (e) { // the session may have ended just now
    if (e.kind !== 'sign_in') throw e;
  }
}

export async function refresh() {
  begin(await json('/api/me'));
}

// Resolves to false when the second factor's code is needed, too.
export async function signIn(user, password, code) {
  const answer = await json('/api/sign-in', { method: 'POST', json: code ? { user, password, code } : { user, password },
    quiet: true });
  if (answer.need_code) return false;
  begin(await json('/api/me', { quiet: true }));
  tabs.postMessage('in');
  return true;
}

// The page is loaded anew: nothing that it has read stays behind.
export async function signOut() {
  try {
    await send('POST', '/api/sign-out', {});
  } catch (e) {
    if (e.kind !== 'sign_in') throw e;
  }
  tabs.postMessage('out');
  history.replaceState(null, '', '/');
  location.reload();
}

tabs.onmessage = ({ data }) => {
  if (data === 'out') forget('ended');
  else if (!state.me) load().catch(() => { /* it goes on without */ });
};
// "Back" may show a page as it was left, which has heard nothing meanwhile.
window.addEventListener('pageshow', async ({ persisted }) => {
  if (!persisted || !state.me) return;
  const info = await json('/api/info', { quiet: true }).catch(() => null);
  if (info && !info.signed_in) forget('ended');
});
events.addEventListener('signed-out', () => forget('ended'));
events.addEventListener('used', used);
document.addEventListener('visibilitychange', () => document.visibilityState === 'visible' && watch());
