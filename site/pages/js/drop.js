// Files may be dropped anywhere.
import { toast } from './dialog.js';
import { h, icon } from './dom.js';
import { fromDrop } from './files.js';
import { t } from './i18n.js';
import { can, state } from './session.js';
import { upload } from './upload.js';

const hasFiles = (e) => [...(e.dataTransfer?.types || [])].includes('Files');

export function take(found) {
  if (!can('store')) return;
  upload.add(found);
  if (!location.hash.startsWith('#/upload')) location.hash = '#/upload';
}

export function catchDrops() {
  const veil = h('div', { class: 'veil', hidden: true, 'aria-hidden': 'true' },
    h('div', icon('upload'), h('p', { class: 'words' })));
  document.body.append(veil);
  let depth = 0;
  const set = (n) => {
    depth = n;
    veil.querySelector('.words').textContent = t(can('store') ? 'drop_here' : 'drop_not_allowed');
    veil.hidden = n <= 0 || !state.me;
  };
  document.addEventListener('dragenter', (e) => hasFiles(e) && set(depth + 1));
  document.addEventListener('dragleave', (e) => hasFiles(e) && set(depth - 1));
  document.addEventListener('dragover', (e) => hasFiles(e) && e.preventDefault());
  document.addEventListener('drop', (e) => {
    if (!hasFiles(e)) return;
    e.preventDefault(); // or the browser would show the file
    set(0);
    if (can('store')) take(fromDrop(e.dataTransfer));
    else if (state.me) toast(t('drop_not_allowed'), 'bad');
  });
}
