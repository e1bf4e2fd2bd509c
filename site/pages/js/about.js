// What this is, and how else one gets at it.
import { copy } from './dialog.js';
import { bdi, button, h } from './dom.js';
import { t } from './i18n.js';
import { state } from './session.js';

function keys() {
  const rows = [['/', 'key_search'], ['↑ ↓', 'key_move'], ['→ ←', 'key_open'], ['Enter', 'key_view'], ['Esc', 'key_clear']];
  return h('dl', { class: 'facts keys' }, rows.map(([key, text]) => [h('dt', h('kbd', key)), h('dd', t(text))]));
}

export function aboutView() {
  const address = `${location.origin}/dicomweb`;
  const { info, me } = state;
  return { title: t('about'), element: h('div', { class: 'narrow' },
    h('h1', t('about')),
    h('section', { class: 'card' }, h('p', t('about_text')),
      h('dl', { class: 'facts' },
        h('dt', t('archive')), h('dd', bdi(info.name || '–')),
        h('dt', t('version')), h('dd', `Galena ${info.version}`),
        me ? [h('dt', t('ae_title')), h('dd', bdi(me.archive?.ae_title || '–'))] : null),
      h('p', { class: 'quiet' }, t('not_certified'))),
    h('section', { class: 'card' }, h('h2', t('keyboard')), keys()),
    h('section', { class: 'card' }, h('h2', t('searching')), h('p', t('searching_text')),
      h('ul', { class: 'examples' }, ['meier anna', 'müller 12.03.1961', '2024-01..2024-03 CT', '4711', 'A*23'].map((x) =>
        h('li', h('code', x))))),
    h('section', { class: 'card' }, h('h2', t('for_programs')), h('p', t('for_programs_text')),
      h('p', h('code', address), ' ', button(t('copy'), () => copy(address), { icon: 'copy', hideLabel: true, kind: 'quiet' })),
      h('p', h('a', { href: '/openapi.json', target: '_blank', rel: 'noopener' }, t('openapi'))))) };
}
