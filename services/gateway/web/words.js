// Error messages in the user's language.

import { ApiError, NoAnswer } from './api.js';
import { has, language, t } from './i18n.js';
import { formatDuration } from './time.js';

/**
 * Return the message for an error. An error code without a translation shows the server's English message.
 * `seconds` is the remaining wait from `Retry-After`, if any.
 */
export function explain(error, seconds = error.retryAfterSeconds) {
  if (error instanceof NoAnswer) return t(navigator.onLine ? 'error.no_answer' : 'error.offline');
  if (!(error instanceof ApiError)) throw error; // a defect of the app: show it in the console
  const time = formatDuration(seconds ?? 0);
  if (seconds === null && has(`error.${error.code}.no_time`)) return t(`error.${error.code}.no_time`);
  if (has(`error.${error.code}`)) return t(`error.${error.code}`, { time });
  if (error.status >= 500) return t('error.server');
  return language() === 'en' ? error.message : t('error.other', { code: error.code });
}

/** Return the message for one invalid field. */
export function explainField(name, message) {
  if (language() === 'en') return message.charAt(0).toUpperCase() + message.slice(1);
  return has(`field.${name}.wrong`) ? t(`field.${name}.wrong`) : t('field.wrong');
}
