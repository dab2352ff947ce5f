// Runs before the first paint and is therefore not a module: a theme or language
// that is set later than this would flash.
(function () {
  'use strict';
  var root = document.documentElement;
  var theme = null;
  var language = null;
  try {
    theme = localStorage.getItem('fastcheck.theme');
    language = localStorage.getItem('fastcheck.language');
  } catch (refused) {
    // Storage can be forbidden by the browser's settings: the defaults hold then.
  }
  if (theme === 'light' || theme === 'dark') root.dataset.theme = theme;
  root.lang = language || (/^ru\b/.test(navigator.language) ? 'ru' : 'en');
})();
