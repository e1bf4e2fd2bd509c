// Questions that must be answered first, and short messages that go by themselves.
import { button, h, icon } from './dom.js';
import { t } from './i18n.js';

// ask({title, body, confirm, danger, ready}): resolves to true when confirmed. ready(set) may keep the button
// disabled: it is given a function that enables it.
export function ask({ title, body, confirm, danger = false, ready }) {
  return new Promise((resolve) => {
    const yes = h('button', { type: 'submit', class: `button ${danger ? 'danger' : 'primary'}`, value: 'yes' }, confirm);
    const form = h('form', { method: 'dialog' }, h('h2', { id: 'dialog-title' }, title), body,
      h('div', { class: 'actions end' }, button(t('cancel'), () => dialog.close()), yes));
    const dialog = h('dialog', { 'aria-labelledby': 'dialog-title', class: 'card' }, form);
    dialog.addEventListener('close', () => {
      dialog.remove();
      resolve(dialog.returnValue === 'yes');
    });
    if (ready) {
      yes.disabled = true;
      ready((good) => { yes.disabled = !good; });
    }
    document.body.append(dialog);
    dialog.showModal();
  });
}

let toasts;

export function toast(text, kind = 'good') {
  toasts ||= document.body.appendChild(h('div', { class: 'toasts', role: 'status' }));
  const message = h('p', { class: `toast ${kind}` }, icon(kind === 'good' ? 'check' : 'warn'), h('span', text));
  toasts.append(message);
  setTimeout(() => message.remove(), kind === 'good' ? 3500 : 8000);
}

export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    toast(t('copied'));
  } catch {
    toast(t('not_copied'), 'bad');
  }
}

// What went wrong, in words, with what the archive says about it.
export function explain(e) {
  const known = e.kind ? t(`error_${e.kind}`) : t('error_page');
  const said = e.detail && (e.kind === 'refused' || e.kind === 'forbidden') ? ` ${e.detail}` : '';
  return known + said;
}

export function problem(e, retry) {
  return h('div', { class: 'problem', role: 'alert' }, icon('warn'), h('p', explain(e)),
    retry ? button(t('retry'), retry) : null);
}
