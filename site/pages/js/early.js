// Before anything is painted: the colours and the language chosen earlier. Everything else is a module.
(function () {
  'use strict';
  function kept(name) {
    try { return localStorage.getItem(name); } catch { return null; }
  }
  const root = document.documentElement;
  const theme = kept('galena.theme');
  if (theme === 'light' || theme === 'dark') root.dataset.theme = theme;
  const language = kept('galena.language') || navigator.language || 'en';
  root.lang = language.toLowerCase().startsWith('de') ? 'de' : 'en';
})();
