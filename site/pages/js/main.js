// The frame: header, navigation, which page is shown, and what happens when the session ends.
import { ApiError } from './api.js';
import { bdi, h, icon, replace } from './dom.js';
import { explain, problem, toast } from './dialog.js';
import { keep, language, languages, setLanguage, t } from './i18n.js';
import { can, load, session, signOut, state } from './session.js';
import { goBack, signInView } from './sign_in.js';
import { studiesView } from './studies.js';
import { uploadView } from './upload_view.js';
import { catchDrops } from './drop.js';
import { tray } from './tray.js';
import { accountView } from './account.js';
import { adminView } from './admin.js';
import { aboutView } from './about.js';

const pages = {
  studies: { view: studiesView, icon: 'list', label: 'studies', shown: () => can('query') },
  upload: { view: uploadView, icon: 'upload', label: 'upload', shown: () => can('store') },
  admin: { view: adminView, icon: 'gauge', label: 'administration', shown: () => can('admin') },
  account: { view: accountView, icon: 'user', label: 'account', shown: () => true },
  about: { view: aboutView, public: true },
};

const element = (id) => document.getElementById(id);
let current = null;

function firstPage() {
  return ['studies', 'upload', 'admin'].find((name) => pages[name].shown()) || 'account';
}

function place() {
  const [, name = '', query = ''] = /^#\/([a-z]*)(?:\?(.*))?$/.exec(location.hash) || [];
  return { name: Object.hasOwn(pages, name) ? name : '', parameters: new URLSearchParams(query) };
}

// --- header and footer

function navLink(name) {
  const page = pages[name];
  const here = current?.name === name;
  const shown = name === 'account' ? bdi(state.me.user) : t(page.label);
  return h('a', { href: `#/${name}`, class: `nav ${name}`, 'aria-current': here ? 'page' : null,
    title: name === 'account' ? t('account') : null }, icon(page.icon), h('span', shown));
}

function drawHeader() {
  const names = state.me ? Object.keys(pages).filter((n) => pages[n].shown?.()) : [];
  replace(element('top'), state.me ? [
    h('a', { class: 'brand', href: `#/${firstPage()}`, 'aria-label': state.me.archive?.name || 'Galena' },
      h('img', { src: '/favicon.svg', alt: '', width: '26', height: '26' }),
      h('span', { dir: 'auto' }, state.me.archive?.name || 'Galena')),
    h('nav', { 'aria-label': t('main_navigation') }, names.map(navLink)),
    h('button', { type: 'button', class: 'button quiet', onclick: leave }, t('sign_out'))] : null);
  element('top').hidden = !state.me;
}

function choice(label, options, value, onchange) {
  return h('label', { class: 'choice' }, h('span', label),
    h('select', { onchange: (e) => onchange(e.target.value) },
      options.map(([v, text]) => h('option', { value: v, selected: v === value }, text))));
}

function setTheme(theme) {
  keep('galena.theme', theme);
  if (theme === 'system') delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
}

function drawFooter() {
  const themes = ['system', 'light', 'dark'].map((v) => [v, t(`theme_${v}`)]);
  replace(element('foot'),
    h('a', { href: '#/about' }, `Galena ${state.info.version}`),
    h('span', { class: 'gap' }),
    choice(t('language'), languages, language, (v) => { setLanguage(v); draw(); }),
    choice(t('colours'), themes, document.documentElement.dataset.theme || 'system', setTheme));
  element('skip').textContent = t('skip');
}

async function leave() {
  try {
    await signOut();
  } catch (e) {
    toast(explain(e), 'bad');
  }
}

// --- pages

function show(name, view) {
  current?.view.leave?.();
  current = { name, view };
  replace(element('main'), view.element);
  element('main').className = name;
  document.title = view.title ? `${view.title} – Galena` : 'Galena';
  drawHeader();
}

function draw() {
  const { name, parameters } = place();
  drawFooter();
  const page = pages[name];
  if (!state.me && !page?.public) {
    const view = signInView();
    show('sign-in', view);
    view.focus();
    return;
  }
  const wanted = page?.public || page?.shown() ? name : firstPage();
  if (wanted !== name) history.replaceState(history.state, '', `#/${wanted}`);
  show(wanted, pages[wanted].view(parameters));
}

function moved() {
  const { name, parameters } = place();
  if (current?.name === name && current.view.update?.(parameters)) return;
  draw();
  window.scrollTo(0, 0);
  (element('search') || element('main')).focus({ preventScroll: true });
}

function changed() {
  if (state.me && goBack()) return;
  draw();
}

async function start() {
  try {
    await load();
    if (!state.me) draw();
  } catch (e) {
    drawFooter();
    const known = e instanceof ApiError ? e : new ApiError('server');
    show('broken', { element: problem(known, () => { replace(element('main')); start(); }) });
  }
}

element('skip').addEventListener('click', () => element('main').focus());
window.addEventListener('hashchange', moved);
session.addEventListener('change', changed);
document.addEventListener('keydown', (e) => {
  const typing = e.target.closest?.('input, select, textarea, dialog');
  if (e.key === '/' && !typing && !e.ctrlKey && !e.metaKey && !e.altKey && can('query')) {
    e.preventDefault();
    if (current?.name === 'studies') element('search').focus();
    else location.hash = '#/studies';
  }
});
catchDrops();
tray(element('tray'));
start();
