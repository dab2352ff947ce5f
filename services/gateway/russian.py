"""The messages of the public API in Russian.

A message is found by its English text, else by its code. A test compares the messages with the services' error classes
and with the sentences of the request parser.
"""

import re
from typing import Final

MESSAGES: Final = {
    "the request is not valid": "Проверьте запрос: в нём есть ошибка",
    "bad request": "Запрос составлен неверно",
    "there is nothing at this address": "Такого адреса нет",
    "method not allowed": "Этот метод здесь не поддерживается",
    "request entity too large": "Запрос слишком большой",
    "length required": "В запросе нужен заголовок Content-Length",
    "too many requests: slow down and try again later": "Слишком много запросов. Повторите позже",
    "something went wrong on our side": "Произошла ошибка на нашей стороне. Мы уже разбираемся",
    "the service is busy or a part of it is down: try again in a moment": (
        "Сервис временно недоступен. Повторите через несколько секунд"
    ),
    "the service is busy: the request was not started, try again in a moment": (
        "Сервис перегружен, запрос не выполнялся. Повторите через несколько секунд"
    ),
    "the service did not finish the request in time: repeat it with the same Idempotency-Key": (
        "Запрос не завершён вовремя. Повторите его с тем же Idempotency-Key"
    ),
    "the first request with this Idempotency-Key is still running: repeat it shortly": (
        "Первый запрос с этим Idempotency-Key ещё выполняется. Повторите через секунду"
    ),
    "this Idempotency-Key was used with another request: take a new key for a new request": (
        "Этот Idempotency-Key уже использован с другим запросом. Для нового запроса нужен новый ключ"
    ),
    "this caller may not use this route": "Доступ к этому адресу запрещён",
    # Accounts
    "this login is taken": "Этот логин занят",
    "wrong login or password": "Неверный логин или пароль",
    "this password is easy to guess: use several words that do not belong together": (
        "Этот пароль легко подобрать. Возьмите несколько слов, не связанных между собой"
    ),
    "the old password is wrong": "Текущий пароль неверный",
    "you have no session with this id": "Такого сеанса нет",
    # Balance and checks
    "not enough money on the balance": "Недостаточно средств на балансе",
    "the balance at a time in the future is not known": "Баланс на будущую дату неизвестен",
    "this currency is not accepted here": "Эта валюта не поддерживается",
    "a check cannot be valid for so short or so long a time": "Недопустимый срок действия чека",
    "there is no check with this number and code": "Чек с таким номером и кодом не найден",
    "you have no check with this number": "У вас нет чека с таким номером",
    "this check has been accepted already": "Этот чек уже получен",
    "this check has expired: its money went back to its creator": (
        "Срок действия чека истёк. Деньги вернулись отправителю"
    ),
    "this check has expired: its money comes back to you": "Срок действия чека истёк. Деньги вернутся на ваш баланс",
    "this check was cancelled by its creator": "Отправитель отменил этот чек",
    "this check is cancelled already": "Этот чек уже отменён",
    "too many wrong codes: this check is frozen for a while": ("Слишком много неверных кодов. Чек временно заморожен"),
    "too many wrong codes: this check is frozen until its creator changes the code": (
        "Слишком много неверных кодов. Чек заморожен, пока отправитель не сменит код"
    ),
    "too many failed attempts: try again later": "Слишком много неудачных попыток. Повторите позже",
    # Top-ups
    "this returnUrl is not on the list of allowed origins": "Возврат на этот адрес не разрешён",
    "this currency is not accepted for top-ups": "Пополнение в этой валюте не поддерживается",
    "too many unpaid top-ups: pay one of them, or wait until one expires": (
        "Слишком много неоплаченных пополнений. Оплатите одно из них или дождитесь окончания срока"
    ),
    "no such top-up": "Пополнение не найдено",
    "the bank cannot be reached: try again shortly with the same Idempotency-Key": (
        "Банк не отвечает. Повторите через несколько секунд с тем же Idempotency-Key"
    ),
    "the bank rejected this payment: nothing was charged": "Банк отклонил платёж. Деньги не списаны",
    "this top-up expired before it could be started: create another one with a new Idempotency-Key": (
        "Срок пополнения истёк. Создайте новое пополнение с новым Idempotency-Key"
    ),
    # Webhooks
    "you have no webhook with this id": "Такого вебхука нет",
    "this webhook has no delivery with this id": "Такой доставки нет",
    "you have the maximum number of webhooks: delete one first": (
        "Больше вебхуков создать нельзя. Сначала удалите один из них"
    ),
    "webhooks cannot be delivered to this URL": "На этот адрес нельзя доставлять вебхуки",
    "this notification is not from the bank": "Подпись уведомления неверна",
    "this notification contradicts the stored payment": "Уведомление не соответствует платежу",
}

#: By code, for a message that is not above: it comes from a newer service.
BY_CODE: Final = {
    "invalid_request": MESSAGES["the request is not valid"],
    "check_expired": "Срок действия чека истёк",
    "check_cancelled": "Чек отменён",
    "check_not_found": "Чек не найден",
    "too_many_requests": MESSAGES["too many requests: slow down and try again later"],
    "temporarily_unavailable": MESSAGES["the service is busy or a part of it is down: try again in a moment"],
}

#: Sentences about fields: an English pattern, and the Russian text with its groups.
SENTENCES: Final = tuple(
    (re.compile(pattern), text)
    for pattern, text in (
        ("is required", "обязательное поле"),
        ("is not a known field", "неизвестное поле"),
        ("must be an integer", "должно быть целым числом"),
        ("must be a positive integer", "должно быть целым числом больше нуля"),
        ("is too large", "слишком большое число"),
        ("must be a string", "должно быть строкой"),
        ("must be a JSON object", "должно быть объектом JSON"),
        ("is not of the right form", "неверный формат"),
        ("is not an id", "неверный идентификатор"),
        ("is not valid JSON", "неверный JSON"),
        ("is given more than once", "указано несколько раз"),
        (r"must be at least (\S+)", r"должно быть не меньше \1"),
        (r"must be at most (\S+)", r"должно быть не больше \1"),
        (r"must have at least (\d+) characters", r"не короче \1 символов"),
        (r"must have at most (\d+) characters", r"не длиннее \1 символов"),
        (r"must be one of (.+)", r"допустимые значения: \1"),
        (r"must be from (\d+) to (\d+) seconds", r"должно быть от \1 до \2 секунд"),
        ("must not contain control characters", "не должно содержать управляющих символов"),
        (
            "must be an ISO 4217 code that is accepted here, for example RUB",
            "должно быть кодом поддерживаемой валюты по ISO 4217, например RUB",
        ),
        (r"must be a time like (\S+)", r"должно быть временем вида \1"),
        ("must be a time from the year 1 on, in UTC", "должно быть временем не раньше 1 года по UTC"),
        ("must not be in the future", "не может быть в будущем"),
        ("is not a cursor of this list", "неверный курсор"),
        ("is not on the list of allowed origins", "адрес не входит в список разрешённых"),
        ("is not accepted for top-ups", "не поддерживается для пополнения"),
        ("the host name cannot be resolved", "имя узла не найдено"),
        ("the host has an address that is not public", "у узла есть непубличный адрес"),
        (r"it must be a URL in ASCII of at most (\d+) characters", r"нужен адрес из символов ASCII, не длиннее \1"),
        ("it must be a URL like https://example.com/webhooks", "нужен адрес вида https://example.com/webhooks"),
        ("it must begin with https://", "адрес должен начинаться с https://"),
        (
            "it must have no user name, password or fragment",
            "в адресе не должно быть имени пользователя, пароля и фрагмента",
        ),
        ("is taken", "занят"),
        ("is wrong", "неверный"),
        ("is easy to guess", "легко подобрать"),
    )
)


def in_russian(message: str, code: str) -> str:
    """Return the message in Russian, or unchanged if neither it nor its code is known."""
    return MESSAGES.get(message) or BY_CODE.get(code, message)


def sentence_in_russian(sentence: str) -> str:
    """Return the sentence about a field in Russian, or unchanged if it is unknown."""
    for pattern, text in SENTENCES:
        found = pattern.fullmatch(sentence)
        if found:
            return found.expand(text)
    return sentence
