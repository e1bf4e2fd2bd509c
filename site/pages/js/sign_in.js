// The sign-in page. It stands in for the page that was asked for, whose address stays.
import { field, h, icon, replace } from './dom.js';
import { duration, t } from './i18n.js';
import { session, signIn, state } from './session.js';

// Only a path of this archive: "/…", and nothing a browser would take for another host; not even once its
// dots are worked out ("/.//host").
export function ownPath(wanted) {
  if (!wanted || !/^\/(?![/\\])[^\s\\]*$/.test(wanted)) return '';
  const url = new URL(wanted, location.origin);
  return url.origin === location.origin && !url.pathname.startsWith('//') ? url.pathname + url.search + url.hash : '';
}

export function wantedReturn() {
  return ownPath(new URLSearchParams(location.search).get('return'));
}

function reasonToCome() {
  if (session.reason) return t(`signed_out_${session.reason}`);
  if (new URLSearchParams(location.search).get('error') === 'oidc') return t('oidc_failed');
  return wantedReturn() ? t('sign_in_to_go_on') : '';
}

function providerLink() {
  if (!state.info.oidc) return null;
  const back = wantedReturn() || location.pathname + location.hash;
  return [h('p', { class: 'or' }, h('span', t('or'))),
    h('a', { class: 'button wide', href: `/api/oidc/start?return=${encodeURIComponent(back)}` },
      t('sign_in_with', { name: state.info.oidc_name || 'OpenID Connect' }))];
}

class SignIn {
  constructor() {
    this.user = field(t('user'), { name: 'username', autocomplete: 'username', required: true, autocapitalize: 'none',
      spellcheck: 'false', maxlength: '64' });
    this.password = field(t('password'), { type: 'password', name: 'password', autocomplete: 'current-password',
      required: true, maxlength: '1024' });
    this.code = field(t('code'), { name: 'code', autocomplete: 'one-time-code', inputmode: 'numeric', maxlength: '16',
      class: 'code' }, t('code_hint'));
    this.code.element.hidden = true;
    this.message = h('div', { role: 'alert' });
    this.submit = h('button', { type: 'submit', class: 'button primary wide' }, t('sign_in'));
    this.element = this.build();
  }

  build() {
    const reason = reasonToCome();
    const form = h('form', { class: 'card', onsubmit: (e) => this.send(e), 'aria-labelledby': 'sign-in-title' },
      h('div', { class: 'brand' }, h('img', { src: '/favicon.svg', alt: '', width: '40', height: '40' }),
        h('h1', { id: 'sign-in-title', dir: 'auto' }, state.info.name || 'Galena')),
      reason ? h('p', { class: 'note' }, reason) : null,
      this.user.element, this.password.element, this.code.element, this.message, this.submit, providerLink());
    return h('div', { class: 'sign-in' }, form);
  }

  say(text) {
    replace(this.message, text ? h('p', { class: 'wrong' }, icon('warn'), h('span', text)) : null);
  }

  async send(event) {
    event.preventDefault();
    if (this.submit.disabled) return;
    this.submit.disabled = true;
    this.say('');
    try {
      const { user, password, code } = this;
      if (!await signIn(user.input.value.trim(), password.input.value, code.input.value.replace(/\s/g, ''))) this.askCode();
    } catch (e) {
      this.submit.disabled = false;
      this.refused(e);
    }
  }

  askCode() {
    this.submit.disabled = false;
    this.code.element.hidden = false;
    this.code.input.focus();
  }

  refused(e) {
    if (e.kind === 'wait') {
      this.wait(Math.max(1, e.wait_s));
    } else {
      this.say(e.code === 'wrong' ? t(this.code.element.hidden ? 'wrong' : 'wrong_code') : t(`error_${e.kind}`));
      const again = this.code.element.hidden ? this.password : this.code;
      again.input.select();
      again.input.focus();
    }
  }

  wait(seconds) {
    const until = Date.now() + seconds * 1000;
    this.submit.disabled = true;
    this.say(t('wait', { time: duration(seconds) }));
    const tick = () => {
      const left = Math.ceil((until - Date.now()) / 1000);
      this.submit.textContent = left > 0 ? t('wait_button', { n: left }) : t('sign_in');
      this.submit.disabled = left > 0;
      if (left > 0 && this.element.isConnected) setTimeout(tick, 250);
      else this.say('');
    };
    tick();
  }
}

export function signInView() {
  const page = new SignIn();
  return { element: page.element, title: t('sign_in'), focus: () => page.user.input.focus() };
}

// Another way round: already signed in, yet sent here. Once in a while only, lest two pages play ball.
export function goBack() {
  const wanted = wantedReturn();
  if (!wanted) return false;
  const last = Number(sessionStorage.getItem('galena.back')) || 0;
  history.replaceState(history.state, '', location.pathname + location.hash);
  if (Date.now() - last < 10000) return false;
  sessionStorage.setItem('galena.back', String(Date.now()));
  location.replace(wanted);
  return true;
}

