// What stands where a list would, when there is nothing to list.
import { button, h, svg } from './dom.js';
import { t } from './i18n.js';
import { can, state } from './session.js';

function cube() {
  return svg('svg', { class: 'cube', viewBox: '0 0 64 64', 'aria-hidden': 'true' },
    svg('path', { d: 'M32 6 54 18v28L32 58 10 46V18zM10 18l22 12 22-12M32 30v28' }));
}

export function nothingFound(hint, clear) {
  return h('div', { class: 'nothing' }, cube(), h('h2', t('nothing_found')), h('p', hint),
    clear ? button(t('clear_search'), clear) : null);
}

export function emptyArchive() {
  const ae = state.me?.archive?.ae_title || 'GALENA';
  return h('div', { class: 'nothing' }, cube(), h('h2', t('archive_empty')),
    can('store') ? [h('p', t('archive_empty_drop')),
      h('p', h('a', { class: 'button primary', href: '#/upload' }, t('upload_first')))] : h('p', t('archive_empty_hint')),
    h('details', h('summary', t('from_device')), h('p', t('from_device_text')),
      h('pre', `galena peer add DIR ct1 --ae CT1 --can store\n` +
        `storescu +tls key.pem cert.pem +cf ca.pem -aet CT1 -aec ${ae} ${location.hostname} 2762 image.dcm`)));
}
