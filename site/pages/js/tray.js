// The upload's progress while one looks at another page.
import { h, icon, replace } from './dom.js';
import { number, t } from './i18n.js';
import { state } from './session.js';
import { upload } from './upload.js';

export function tray(place) {
  const words = h('span');
  const bar = h('progress', { max: 1, value: 0, 'aria-label': t('upload') });
  const link = h('a', { class: 'tray', href: '#/upload' }, icon('upload'), words, bar);
  const draw = () => {
    const shown = upload.active && state.me && !location.hash.startsWith('#/upload');
    if (!shown) {
      replace(place);
      return;
    }
    const { share } = upload.progress();
    words.textContent = upload.paused ? t(`paused_${upload.paused}`) :
      t('uploading', { share: number(share, { style: 'percent' }) });
    bar.value = share;
    if (!link.isConnected) place.append(link);
  };
  upload.addEventListener('change', draw);
  window.addEventListener('hashchange', draw);
}
