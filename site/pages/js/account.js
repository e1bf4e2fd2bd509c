// One's own account: who one is, password, second factor, tokens, sessions.
import { ApiError, json, send } from './api.js';
import { ask, copy, explain, problem, toast } from './dialog.js';
import { bdi, button, field, h, icon, replace, svg } from './dom.js';
import { moment, t } from './i18n.js';
import { encode, pathOf } from './qr.js';
import { refresh, signOut, state } from './session.js';

function section(title, ...content) {
  return h('section', { class: 'card', 'aria-label': title }, h('h2', title), content);
}

function reason(wrong) {
  if (wrong.code === 'proof') return t(state.me.second_factor ? 'proof_wrong_code' : 'proof_wrong');
  return wrong instanceof ApiError ? explain(wrong) : wrong.message;
}

// Fields for what a session alone may not do: it may be somebody else who sits here now.
function proof(label = 'password') {
  const password = field(t(label), { type: 'password', autocomplete: 'current-password', required: true, maxlength: '1024' });
  const code = state.me.second_factor ? codeField(t('code_once')) : null;
  return { elements: [password.element, code && code.element],
    get password() { return password.input.value; },
    get code() { return code ? digits(code) : undefined; } };
}

function codeField(hint) {
  return field(t('code'), { autocomplete: 'one-time-code', inputmode: 'numeric', required: true, maxlength: '16', class: 'code' }, hint);
}

const digits = ({ input }) => input.value.replace(/\s/g, '');

// A form that says what went wrong beside its button. send() may return a message of success.
function form(label, fields, act) {
  const message = h('div', { role: 'alert' });
  const submit = h('button', { type: 'submit', class: 'button primary' }, label);
  return h('form', { onsubmit: async (e) => {
    e.preventDefault();
    if (submit.disabled) return;
    submit.disabled = true;
    replace(message);
    try {
      await act(e.target);
    } catch (wrong) {
      replace(message, h('p', { class: 'wrong' }, icon('warn'), h('span', reason(wrong))));
    }
    submit.disabled = false;
  } }, fields, message, h('div', { class: 'actions' }, submit));
}

function who() {
  const { me } = state;
  return section(t('you'), h('dl', { class: 'facts' },
    h('dt', t('user')), h('dd', bdi(me.user)),
    h('dt', t('roles')), h('dd', me.roles.map((r) => h('div', h('strong', t(`role_${r}`)), ' – ', t(`role_${r}_text`)))),
    h('dt', t('rights')), h('dd', me.rights.map((r) => t(`right_${r}`)).join(', ') || t('none'))),
    h('div', { class: 'actions' }, button(t('sign_out'), () => signOut().catch((e) => toast(explain(e), 'bad')))));
}

// --- password

function password() {
  const old = proof('password_old');
  const fresh = field(t('password_new'), { type: 'password', autocomplete: 'new-password', required: true, minlength: '12',
    maxlength: '1024' }, t('password_hint'));
  const again = field(t('password_again'), { type: 'password', autocomplete: 'new-password', required: true });
  const user = h('input', { type: 'text', autocomplete: 'username', value: state.me.user, hidden: true, readonly: true });
  return section(t('password'), form(t('password_change'), [user, old.elements, fresh.element, again.element], async (f) => {
    if (fresh.input.value !== again.input.value) throw new Error(t('password_differs'));
    await send('POST', '/api/password', { old: old.password, code: old.code, new: fresh.input.value });
    f.reset();
    toast(t('password_changed'));
    await refresh();
  }));
}

// --- second factor

function qrCode(uri) {
  const { d, size } = pathOf(encode(uri));
  return svg('svg', { class: 'qr', viewBox: `0 0 ${size} ${size}`, role: 'img', 'aria-label': t('qr_label') },
    svg('rect', { width: size, height: size, fill: '#fff' }), svg('path', { d, fill: '#000' }));
}

function enrol(place, { secret, uri }) {
  const code = codeField(), bearer = proof();
  let picture = null;
  try { picture = qrCode(uri); } catch { /* too long for a code: the secret does as well */ }
  replace(place, h('p', t('factor_scan')), picture,
    h('p', t('factor_secret'), ' ', h('code', secret.replace(/(.{4})(?=.)/g, '$1 ')), ' ',
      button(t('copy'), () => copy(secret), { icon: 'copy', hideLabel: true, kind: 'quiet' })),
    form(t('factor_confirm'), [code.element, bearer.elements], async () => {
      await send('POST', '/api/second-factor/confirm', { code: digits(code), password: bearer.password });
      toast(t('factor_is_on'));
      await refresh();
    }));
  code.input.focus();
}

function factorOff() {
  const bearer = proof();
  return form(t('factor_turn_off'), bearer.elements, async () => {
    await send('POST', '/api/second-factor/off', { password: bearer.password, code: bearer.code });
    toast(t('factor_is_off'));
    await refresh();
  });
}

function secondFactor() {
  const place = h('div');
  if (state.me.second_factor)
    replace(place, h('p', { class: 'good' }, icon('check'), t('factor_on_text')),
      h('details', h('summary', t('factor_off_title')), factorOff()));
  else
    replace(place, h('p', t('factor_text')), h('div', { class: 'actions' }, button(t('factor_set_up'), async () => {
      try {
        enrol(place, await send('POST', '/api/second-factor', {}));
      } catch (e) {
        toast(explain(e), 'bad');
      }
    }, { kind: 'primary' })));
  return section(t('second_factor'), place);
}

// --- lists: tokens, sessions

// A table of what GET path answers; row() gives the cells of one.
class Listing {
  constructor(path, heads, row) {
    Object.assign(this, { path, heads, row });
    this.element = h('div', { class: 'scroll' });
    this.load();
  }

  async load() {
    try {
      const rows = await json(this.path) || [];
      replace(this.element, rows.length ? h('table', { class: 'plain cards' },
        h('thead', h('tr', this.heads.map((head) => (head ? h('th', { scope: 'col' }, t(head)) : h('td'))))),
        h('tbody', rows.map((r) => h('tr', this.row(r).map((c, i) =>
          h('td', { data: { head: this.heads[i] ? t(this.heads[i]) : '' } }, h('div', c))))))) :
        h('p', { class: 'quiet' }, t('none_yet')));
    } catch (e) {
      replace(this.element, problem(e, () => this.load()));
    }
  }

  async remove(id, question) {
    if (!await ask({ title: question, body: h('p', t('no_way_back')), confirm: t('revoke'), danger: true })) return;
    try {
      await send('DELETE', `${this.path}/${encodeURIComponent(id)}`);
      this.load();
    } catch (e) {
      toast(explain(e), 'bad');
    }
  }
}

function newToken(listing, place) {
  const name = field(t('token_name'), { required: true, maxlength: '64', autocomplete: 'off' }, t('token_name_hint'));
  const days = field(t('token_days'), { type: 'number', min: '1', max: '366', value: '90', required: true });
  const rights = state.me.rights.filter((r) => r !== 'admin');
  const boxes = rights.map((r) => h('label', { class: 'box' },
    h('input', { type: 'checkbox', value: r, defaultChecked: r === 'query' || r === 'retrieve' }), t(`right_${r}`)));
  const bearer = proof();
  const legend = h('fieldset', h('legend', t('token_may')), boxes);
  return form(t('token_create'), [name.element, legend, days.element, bearer.elements], async (f) => {
    const chosen = [...legend.querySelectorAll('input:checked')].map((box) => box.value);
    if (chosen.length === 0) throw new Error(t('token_needs_right'));
    const made = await send('POST', '/api/tokens', { name: name.input.value, rights: chosen, days: Number(days.input.value),
      password: bearer.password, code: bearer.code });
    f.reset();
    replace(place, h('div', { class: 'note once', role: 'status' }, h('p', t('token_once')), h('code', { class: 'secret' }, made.token),
      h('div', { class: 'actions' }, button(t('copy'), () => copy(made.token), { icon: 'copy' }),
        button(t('done'), () => replace(place), { kind: 'quiet' }))));
    listing.load();
  });
}

function tokens() {
  const place = h('div');
  const listing = new Listing('/api/tokens', ['token_name', 'token_may', 'created', 'expires', 'last_used', ''], (token) => [
    bdi(token.name), token.rights.map((r) => t(`right_${r}`)).join(', '), moment(token.created), moment(token.expires),
    moment(token.last_used) || t('never'),
    button(t('revoke'), () => listing.remove(token.id, t('token_revoke', { name: token.name })), { kind: 'danger-text' })]);
  return section(t('tokens'), h('p', t('tokens_text')), place, listing.element,
    h('details', h('summary', t('token_new')), newToken(listing, place)));
}

function sessions() {
  const listing = new Listing('/api/sessions', ['session_from', 'signed_in', 'last_seen', ''], (s) => [
    h('span', bdi(s.client || '–')), moment(s.created), moment(s.last_seen),
    s.current ? h('span', { class: 'badge' }, t('this_one')) :
      button(t('end_session'), () => listing.remove(s.id, t('session_revoke')), { kind: 'danger-text' })]);
  return section(t('sessions'), h('p', t('sessions_text')), listing.element);
}

// The provider's users have no password here: nobody shall type that one into our page (docs/administration.md).
function elsewhere() {
  return section(t('password'), h('p', t('account_elsewhere', { name: state.info.oidc_name || 'OpenID Connect' })));
}

export function accountView() {
  const own = state.me.user.startsWith('oidc:') ? [elsewhere()] : [secondFactor(), password(), tokens()];
  return { title: t('account'), element: h('div', { class: 'narrow' }, h('h1', t('account')), who(), own, sessions()) };
}
