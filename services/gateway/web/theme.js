// Light, dark, or as the system has it. early.js sets it before the first paint.

const CHOSEN = 'fastcheck.theme';

export const THEMES = ['auto', 'light', 'dark'];

export function currentTheme() {
  return document.documentElement.dataset.theme ?? 'auto';
}

export function setTheme(theme) {
  if (theme === 'auto') {
    delete document.documentElement.dataset.theme;
    localStorage.removeItem(CHOSEN);
  } else {
    document.documentElement.dataset.theme = theme;
    localStorage.setItem(CHOSEN, theme);
  }
}
