/* Reads messages from the log's bytes where they are certain to be valid, many at once.
 *
 * Nearly everything in the log is a message of which nothing is unusual. To read it by Protobuf's
 * own objects and to ask Python of each field whether it may be stored takes ten times as long.
 * Nothing is decided here: a record of which anything is unusual is None, and is read closely by
 * parley.codec.events, which says what is wrong with it, if anything. What is read here reads the
 * same there. Python gives all limits and names; the numbers of the fields are those of proto/.
 *
 * A reader is made once for a shape, which says what is made of each message:
 *
 *     shape = (type, item, ...)
 *
 * A type is a subclass of tuple, which is made as `tuple.__new__` makes it, or anything else that
 * takes the items as its arguments. An item is a shape, or one of these texts:
 *
 *     "event_id", ...             a text of the event or of its message, "" where it has none
 *     "event_id or None", ...     the same, None where it has none
 *     "occurred_at", ...          a time as a datetime in UTC, None where it has none
 *     "policy", "role"            as they were given to the reader
 *     "role.value"                that attribute of the role
 *     "not user_id"               whether it has none
 *     "record.offset", ...        what the record says of itself, by position in LogRecord
 *     "given"                     what the caller gave for all records together
 */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <datetime.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* ------------------------------------------------------------------ what a message may say */

/* Those of one message stand in the order of their fields' numbers. */
enum text {
    EVENT_ID, TENANT_ID, CONVERSATION_ID, SESSION_ID, USER_ID, SENDER, CLIENT_ID,
    CLIENT_MESSAGE_ID, CONNECTION_ID, GATEWAY_ID, CHANNEL, IMPORT_ID,
    IDS, /* how many of them are ids */
    UTTERANCE_ID = IDS, LANGUAGE, TEXT, AUDIO_URL, METADATA_JSON, TEXTS
};

static const char *const TEXT_NAMES[TEXTS] = {
    "event_id", "tenant_id", "conversation_id", "session_id", "user_id", "sender", "client_id",
    "client_message_id", "connection_id", "gateway_id", "channel", "import_id",
    "utterance_id", "language", "text", "audio_url", "metadata_json",
};

enum moment { OCCURRED_AT, SENT_AT, RECEIVED_AT, EVENT_TIME, MOMENTS };

static const char *const MOMENT_NAMES[MOMENTS] = {
    "occurred_at", "sent_at", "received_at", "event_time",
};

/* parley.codec.record.LogRecord. */
enum part { TOPIC, PARTITION, OFFSET, BROKER_TIME, KEY, VALUE, HEADERS, PARTS };

static const char *const PART_NAMES[PARTS] = {
    "record.topic", "record.partition", "record.offset", "record.broker_time", "record.key",
    "record.value", "record.headers",
};

/* proto/parley/v1/events.proto, content.proto and policy.proto. */
enum {
    FIRST_ID = 1, LAST_ID = 11, FIRST_MOMENT = 12, LAST_MOMENT = 15, POLICY_FIELD = 16,
    IMPORT_ID_FIELD = 17, FIRST_BODY = 32, MESSAGE_RECORDED = 38, LAST_BODY = 48
};
enum { ROLE_FIELD = 1, CONTENT_FIELD, UTTERANCE_ID_FIELD, LANGUAGE_FIELD };
enum { PLAIN_FIELD = 1, ENCRYPTED_FIELD };
enum { TEXT_FIELD = 1, AUDIO_URL_FIELD, METADATA_JSON_FIELD };
enum { SECONDS_FIELD = 1, NANOS_FIELD };
enum { IDLE_GAP_FIELD = 3, GRACE_FIELD = 4, MAX_DURATION_FIELD = 6 };

#define UUID_BYTES 36
#define MAX_ITEMS 32
#define MICROSECONDS 1000000
#define NANOSECONDS 1000000000
#define DAY_S 86400

/* Bytes of a record; `at` is NULL where there are none, as opposed to no bytes. */
typedef struct {
    const uint8_t *at;
    Py_ssize_t size;
} Span;

typedef struct {
    bool is_set;
    int64_t microseconds; /* since 1970 */
} Moment;

typedef struct {
    Span texts[TEXTS];
    Moment moments[MOMENTS];
    Span policy;
    uint64_t role;
} Message;

/* ------------------------------------------------------------------ the wire */

enum wire { VARINT = 0, FIXED64 = 1, BYTES = 2, FIXED32 = 5 };

typedef struct {
    uint32_t number;
    enum wire wire;
    uint64_t value; /* of a varint */
    Span bytes;
} Field;

/* A varint off the front of `in`; false for one that is cut off or longer than need be: Protobuf
 * takes some of these and refuses others. */
static bool
take_varint(Span *in, uint64_t *value)
{
    uint64_t read = 0;
    for (int shift = 0; shift < 64; shift += 7) {
        if (in->size == 0)
            return false;
        uint8_t byte = *in->at++;
        in->size--;
        /* Of a tenth byte one bit is left. */
        if ((shift == 63 && byte > 1) || (shift > 0 && byte == 0))
            return false;
        read |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            *value = read;
            return true;
        }
    }
    return false;
}

static bool
take_bytes(Span *in, uint64_t size, Span *taken)
{
    if (size > (uint64_t)in->size)
        return false;
    *taken = (Span){in->at, (Py_ssize_t)size};
    in->at += size;
    in->size -= (Py_ssize_t)size;
    return true;
}

/* A field off the front of `in`; false for what is no field, or of a kind that Parley never had. */
static bool
take_field(Span *in, Field *field)
{
    uint64_t tag, size;
    if (!take_varint(in, &tag) || tag > UINT32_MAX || tag >> 3 == 0)
        return false;
    field->number = (uint32_t)(tag >> 3);
    field->wire = (enum wire)(tag & 7);
    switch (field->wire) {
    case VARINT:
        return take_varint(in, &field->value);
    case BYTES:
        return take_varint(in, &size) && take_bytes(in, size, &field->bytes);
    case FIXED64:
        return take_bytes(in, 8, &field->bytes);
    case FIXED32:
        return take_bytes(in, 4, &field->bytes);
    }
    return false;
}

/* Keep what is there once: of a text that is there twice the last would count, of a part both. */
static bool
keep(const Field *field, Span *slot)
{
    if (field->wire != BYTES || slot->at != NULL)
        return false;
    *slot = field->bytes;
    return true;
}

/* ------------------------------------------------------------------ texts */

/* Whether all is ASCII, and nothing NUL. */
static bool
is_plain(const uint8_t *at, Py_ssize_t size)
{
    const uint64_t ones = 0x0101010101010101u, highs = 0x8080808080808080u;
    uint64_t eight;
    for (; size >= 8; at += 8, size -= 8) {
        memcpy(&eight, at, 8);
        if ((((eight - ones) & ~eight) | eight) & highs)
            return false;
    }
    for (; size > 0; at++, size--)
        if (*at == 0 || *at >= 0x80)
            return false;
    return true;
}

/* The text; NULL without an exception for one that is no UTF-8 or holds a NUL. */
static PyObject *
new_text(Span bytes)
{
    if (is_plain(bytes.at, bytes.size)) {
        PyObject *text = PyUnicode_New(bytes.size, 127);
        if (text != NULL && bytes.size > 0)
            memcpy(PyUnicode_1BYTE_DATA(text), bytes.at, (size_t)bytes.size);
        return text;
    }
    if (memchr(bytes.at, 0, (size_t)bytes.size) != NULL)
        return NULL;
    PyObject *text = PyUnicode_DecodeUTF8((const char *)bytes.at, bytes.size, NULL);
    if (text == NULL && PyErr_ExceptionMatches(PyExc_UnicodeDecodeError))
        PyErr_Clear();
    return text;
}

/* Whether PostgreSQL and Python can hold it; false with an exception where memory is out. */
static bool
is_text(Span bytes)
{
    if (is_plain(bytes.at, bytes.size))
        return true;
    PyObject *text = new_text(bytes);
    Py_XDECREF(text);
    return text != NULL;
}

static bool
is_uuid(Span id)
{
    if (id.size != UUID_BYTES)
        return false;
    for (int i = 0; i < UUID_BYTES; i++) {
        uint8_t c = id.at[i];
        bool is_dash = i == 8 || i == 13 || i == 18 || i == 23;
        bool is_digit = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
        if (is_dash ? c != '-' : !is_digit)
            return false;
    }
    return true;
}

/* ------------------------------------------------------------------ times */

/* Days since 1970 as a date and back, by the Gregorian calendar: H. Hinnant's algorithms, for
 * years that begin in March and eras of 400 of them. */
static void
civil_from_days(int64_t days, int *year, int *month, int *day)
{
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    int64_t of_era = days - era * 146097;
    int64_t years = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * years + years / 4 - years / 100);
    int64_t march_month = (5 * of_year + 2) / 153;
    *day = (int)(of_year - (153 * march_month + 2) / 5 + 1);
    *month = (int)(march_month < 10 ? march_month + 3 : march_month - 9);
    *year = (int)(years + era * 400 + (*month <= 2));
}

static int64_t
days_from_civil(int year, int month, int day)
{
    int64_t years = year - (month <= 2);
    int64_t era = (years >= 0 ? years : years - 399) / 400;
    int64_t of_era = years - era * 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static PyObject *
new_datetime(int64_t microseconds)
{
    int64_t seconds = microseconds / MICROSECONDS, rest = microseconds % MICROSECONDS;
    if (rest < 0) {
        rest += MICROSECONDS;
        seconds--;
    }
    int64_t days = seconds / DAY_S, of_day = seconds % DAY_S;
    if (of_day < 0) {
        of_day += DAY_S;
        days--;
    }
    int year, month, day;
    civil_from_days(days, &year, &month, &day);
    return PyDateTimeAPI->DateTime_FromDateAndTime(
        year, month, day, (int)(of_day / 3600), (int)(of_day / 60 % 60), (int)(of_day % 60),
        (int)rest, PyDateTime_TimeZone_UTC, PyDateTimeAPI->DateTimeType);
}

/* A datetime in UTC as microseconds since 1970; false for anything else. */
static bool
to_microseconds(PyObject *moment, int64_t *microseconds)
{
    if (!PyDateTime_CheckExact(moment)
        || PyDateTime_DATE_GET_TZINFO(moment) != PyDateTime_TimeZone_UTC)
        return false;
    int64_t seconds = DAY_S * days_from_civil(PyDateTime_GET_YEAR(moment),
                                              PyDateTime_GET_MONTH(moment),
                                              PyDateTime_GET_DAY(moment));
    seconds += PyDateTime_DATE_GET_HOUR(moment) * 3600 + PyDateTime_DATE_GET_MINUTE(moment) * 60
               + PyDateTime_DATE_GET_SECOND(moment);
    *microseconds = seconds * MICROSECONDS + PyDateTime_DATE_GET_MICROSECOND(moment);
    return true;
}

/* ------------------------------------------------------------------ from bytes to a message */

typedef struct {
    Py_ssize_t id_bytes;
    long long earliest_s, latest_s, tolerance_us;
} Limits;

static bool
read_moment(const Field *field, const Limits *limits, Moment *moment)
{
    if (field->wire != BYTES || moment->is_set)
        return false;
    Span in = field->bytes;
    Field part;
    bool has_seconds = false, has_nanos = false;
    int64_t seconds = 0;
    uint64_t nanos = 0;
    while (in.size > 0) {
        if (!take_field(&in, &part) || part.wire != VARINT)
            return false;
        if (part.number == SECONDS_FIELD && !has_seconds) {
            has_seconds = true;
            seconds = (int64_t)part.value;
        }
        else if (part.number == NANOS_FIELD && !has_nanos) {
            has_nanos = true;
            nanos = part.value;
        }
        else
            return false;
    }
    if (seconds < limits->earliest_s || seconds >= limits->latest_s || nanos >= NANOSECONDS)
        return false;
    *moment = (Moment){true, seconds * MICROSECONDS + (int64_t)(nanos / 1000)};
    return true;
}

static bool
read_plain(Span in, Message *message)
{
    Field field;
    while (in.size > 0) {
        if (!take_field(&in, &field))
            return false;
        if (field.number > METADATA_JSON_FIELD)
            continue;
        if (!keep(&field, &message->texts[TEXT + field.number - TEXT_FIELD]))
            return false;
    }
    return true;
}

static bool
read_content(Span in, Message *message)
{
    Field field;
    Span plain = {NULL, 0};
    while (in.size > 0) {
        if (!take_field(&in, &field))
            return false;
        if (field.number == ENCRYPTED_FIELD)
            return false;
        if (field.number == PLAIN_FIELD && !keep(&field, &plain))
            return false;
    }
    return plain.at != NULL && read_plain(plain, message);
}

static bool
read_body(Span in, Message *message)
{
    Field field;
    Span content = {NULL, 0};
    while (in.size > 0) {
        if (!take_field(&in, &field))
            return false;
        switch (field.number) {
        case ROLE_FIELD:
            /* None is 0, so that it says nothing twice. */
            if (field.wire != VARINT || message->role != 0)
                return false;
            message->role = field.value;
            break;
        case CONTENT_FIELD:
            if (!keep(&field, &content))
                return false;
            break;
        case UTTERANCE_ID_FIELD:
        case LANGUAGE_FIELD:
            if (!keep(&field, &message->texts[UTTERANCE_ID + field.number - UTTERANCE_ID_FIELD]))
                return false;
            break;
        }
    }
    return content.at != NULL && read_content(content, message);
}

static bool
read_event(Span in, const Limits *limits, Message *message)
{
    Field field;
    Span body = {NULL, 0};
    while (in.size > 0) {
        if (!take_field(&in, &field))
            return false;
        uint32_t number = field.number;
        if (number <= LAST_ID) {
            if (!keep(&field, &message->texts[number - FIRST_ID]))
                return false;
        }
        else if (number <= LAST_MOMENT) {
            if (!read_moment(&field, limits, &message->moments[number - FIRST_MOMENT]))
                return false;
        }
        else if (number == POLICY_FIELD) {
            if (!keep(&field, &message->policy))
                return false;
        }
        else if (number == IMPORT_ID_FIELD) {
            if (!keep(&field, &message->texts[IMPORT_ID]))
                return false;
        }
        else if (number == MESSAGE_RECORDED) {
            if (!keep(&field, &body))
                return false;
        }
        else if (number >= FIRST_BODY && number <= LAST_BODY)
            return false;
        /* Anything else is of a later release, and says nothing to this one. */
    }
    return body.at != NULL && read_body(body, message);
}

/* Whether the key is the tenant's id, a NUL, and the conversation's. */
static bool
is_key_of(Span key, Span tenant_id, Span conversation_id)
{
    return key.size == tenant_id.size + 1 + conversation_id.size
           && memcmp(key.at, tenant_id.at, (size_t)tenant_id.size) == 0
           && key.at[tenant_id.size] == 0
           && memcmp(key.at + tenant_id.size + 1, conversation_id.at,
                     (size_t)conversation_id.size) == 0;
}

/* Whether what stands in the message itself is valid; texts, metadata and policy are not looked
 * at. */
static bool
is_usual(const Message *message, Span key, int64_t broker_us, const Limits *limits)
{
    const Span *texts = message->texts;
    for (int i = 0; i < IDS; i++)
        if (texts[i].size > limits->id_bytes)
            return false;
    if (texts[EVENT_ID].at == NULL || !is_uuid(texts[EVENT_ID]))
        return false;
    if (texts[TENANT_ID].size == 0 || texts[CONVERSATION_ID].size == 0 || texts[TEXT].size == 0)
        return false;
    /* There and empty is not the same as not there. */
    if (texts[IMPORT_ID].at != NULL && texts[IMPORT_ID].size == 0)
        return false;
    if (texts[AUDIO_URL].at != NULL && texts[AUDIO_URL].size == 0)
        return false;
    /* Another key means another partition: the conversation's one order would be lost. */
    if (!is_key_of(key, texts[TENANT_ID], texts[CONVERSATION_ID]))
        return false;
    const Moment *received_at = &message->moments[RECEIVED_AT];
    if (!received_at->is_set || !message->moments[EVENT_TIME].is_set || message->policy.at == NULL)
        return false;
    int64_t apart = received_at->microseconds - broker_us;
    return -limits->tolerance_us <= apart && apart <= limits->tolerance_us;
}

/* ------------------------------------------------------------------ the reader */

enum kind {
    TEXT_ITEM, TEXT_OR_NONE, MOMENT_ITEM, PART_ITEM, POLICY_ITEM, ROLE_ITEM, ROLE_VALUE_ITEM,
    HAS_NO_USER, GIVEN_ITEM, SHAPE_ITEM
};

struct Shape;

typedef struct {
    enum kind kind;
    int index;
    struct Shape *shape;
} Item;

typedef struct Shape {
    PyObject *make;
    bool is_tuple;
    Py_ssize_t size;
    Item items[];
} Shape;

typedef struct {
    PyObject_HEAD
    Shape *shape;
    PyObject *roles, *role_values; /* tuples, by number; None for no role */
    PyObject *policy_of, *is_metadata, *headers;
    Limits limits;
    /* What was read last. Many messages in a row say the same, and are equal the sooner. */
    PyObject *last_texts[TEXTS];
    PyObject *last_broker_time;
    int64_t last_broker_us;
    PyObject *last_policy_bytes, *last_policy;
} MessageReader;

static void
free_shape(Shape *shape)
{
    if (shape == NULL)
        return;
    for (Py_ssize_t i = 0; i < shape->size; i++)
        free_shape(shape->items[i].shape);
    Py_XDECREF(shape->make);
    PyMem_Free(shape);
}

static int
index_of(const char *name, const char *const names[], int count)
{
    for (int i = 0; i < count; i++)
        if (strcmp(name, names[i]) == 0)
            return i;
    return -1;
}

static bool
name_item(const char *name, Item *item)
{
    static const char *const OTHERS[] = {"policy", "role", "role.value", "not user_id", "given"};
    static const enum kind KINDS[] = {POLICY_ITEM, ROLE_ITEM, ROLE_VALUE_ITEM, HAS_NO_USER,
                                      GIVEN_ITEM};
    static const char OR_NONE[] = " or None";
    size_t size = strlen(name), tail = sizeof(OR_NONE) - 1;
    char text_name[64];
    if (size > tail && size < sizeof(text_name) && strcmp(name + size - tail, OR_NONE) == 0) {
        memcpy(text_name, name, size - tail);
        text_name[size - tail] = 0;
        item->kind = TEXT_OR_NONE;
        return (item->index = index_of(text_name, TEXT_NAMES, TEXTS)) >= 0;
    }
    item->kind = TEXT_ITEM;
    if ((item->index = index_of(name, TEXT_NAMES, TEXTS)) >= 0)
        return true;
    item->kind = MOMENT_ITEM;
    if ((item->index = index_of(name, MOMENT_NAMES, MOMENTS)) >= 0)
        return true;
    item->kind = PART_ITEM;
    if ((item->index = index_of(name, PART_NAMES, PARTS)) >= 0)
        return true;
    int other = index_of(name, OTHERS, sizeof(OTHERS) / sizeof(*OTHERS));
    if (other < 0)
        return false;
    item->kind = KINDS[other];
    return true;
}

static Shape *
new_shape(PyObject *described)
{
    if (!PyTuple_CheckExact(described) || PyTuple_GET_SIZE(described) < 1) {
        PyErr_SetString(PyExc_TypeError, "a shape is a tuple of a type and items");
        return NULL;
    }
    Py_ssize_t size = PyTuple_GET_SIZE(described) - 1;
    if (size > MAX_ITEMS) {
        PyErr_Format(PyExc_ValueError, "a shape has at most %d items", MAX_ITEMS);
        return NULL;
    }
    Shape *shape = PyMem_Calloc(1, sizeof(Shape) + (size_t)size * sizeof(Item));
    if (shape == NULL) {
        PyErr_NoMemory();
        return NULL;
    }
    shape->size = size;
    shape->make = Py_NewRef(PyTuple_GET_ITEM(described, 0));
    shape->is_tuple = PyType_Check(shape->make)
                      && PyType_IsSubtype((PyTypeObject *)shape->make, &PyTuple_Type);
    for (Py_ssize_t i = 0; i < size; i++) {
        PyObject *one = PyTuple_GET_ITEM(described, i + 1);
        Item *item = &shape->items[i];
        if (PyTuple_CheckExact(one)) {
            item->kind = SHAPE_ITEM;
            item->shape = new_shape(one);
            if (item->shape == NULL)
                goto failed;
            continue;
        }
        Py_ssize_t length = 0;
        const char *name = PyUnicode_Check(one) ? PyUnicode_AsUTF8AndSize(one, &length) : NULL;
        if (name == NULL || strlen(name) != (size_t)length || !name_item(name, item)) {
            if (!PyErr_Occurred())
                PyErr_Format(PyExc_ValueError, "no item of a shape is named %R", one);
            goto failed;
        }
    }
    return shape;
failed:
    free_shape(shape);
    return NULL;
}

/* By number what that attribute of each role is. */
static PyObject *
of_roles(PyObject *roles, const char *attribute)
{
    Py_ssize_t size = PyTuple_GET_SIZE(roles);
    PyObject *found = PyTuple_New(size);
    for (Py_ssize_t i = 0; found != NULL && i < size; i++) {
        PyObject *role = PyTuple_GET_ITEM(roles, i);
        PyObject *value = role == Py_None ? Py_NewRef(role)
                                          : PyObject_GetAttrString(role, attribute);
        if (value == NULL)
            Py_CLEAR(found);
        else
            PyTuple_SET_ITEM(found, i, value);
    }
    return found;
}

static PyObject *
reader_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"shape", "roles", "policy_of", "is_metadata", "headers",
                            "max_id_bytes", "earliest_s", "latest_s", "tolerance_us", NULL};
    PyObject *shape, *roles, *policy_of, *is_metadata, *headers;
    Limits limits;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OO!OOO!nLLL:MessageReader", names, &shape,
                                     &PyTuple_Type, &roles, &policy_of, &is_metadata,
                                     &PyTuple_Type, &headers, &limits.id_bytes,
                                     &limits.earliest_s, &limits.latest_s, &limits.tolerance_us))
        return NULL;
    MessageReader *self = (MessageReader *)type->tp_alloc(type, 0);
    if (self == NULL)
        return NULL;
    self->limits = limits;
    self->roles = Py_NewRef(roles);
    self->policy_of = Py_NewRef(policy_of);
    self->is_metadata = Py_NewRef(is_metadata);
    self->headers = Py_NewRef(headers);
    self->role_values = of_roles(roles, "value");
    self->shape = self->role_values == NULL ? NULL : new_shape(shape);
    if (self->shape == NULL) {
        Py_DECREF(self);
        return NULL;
    }
    return (PyObject *)self;
}

static void
reader_dealloc(MessageReader *self)
{
    free_shape(self->shape);
    Py_XDECREF(self->roles);
    Py_XDECREF(self->role_values);
    Py_XDECREF(self->policy_of);
    Py_XDECREF(self->is_metadata);
    Py_XDECREF(self->headers);
    for (int i = 0; i < TEXTS; i++)
        Py_XDECREF(self->last_texts[i]);
    Py_XDECREF(self->last_broker_time);
    Py_XDECREF(self->last_policy_bytes);
    Py_XDECREF(self->last_policy);
    Py_TYPE(self)->tp_free((PyObject *)self);
}

/* The text of a field; NULL without an exception where it is none. */
static PyObject *
text_of(MessageReader *self, int which, Span bytes)
{
    /* The content is another one each time; and of none there is no place to compare. */
    if (which >= TEXT || bytes.size == 0)
        return new_text(bytes);
    PyObject *last = self->last_texts[which];
    if (last != NULL && PyUnicode_GET_LENGTH(last) == bytes.size
        && PyUnicode_IS_COMPACT_ASCII(last)
        && memcmp(PyUnicode_1BYTE_DATA(last), bytes.at, (size_t)bytes.size) == 0)
        return Py_NewRef(last);
    PyObject *text = new_text(bytes);
    if (text != NULL)
        Py_XSETREF(self->last_texts[which], Py_NewRef(text));
    return text;
}

/* Whether these bytes are fields, and those of its durations are. Python reads a policy by itself,
 * and takes deeper groups of unknown fields than it takes within an event; here are none. */
static bool
is_flat_policy(Span in)
{
    Field field, part;
    while (in.size > 0) {
        if (!take_field(&in, &field))
            return false;
        bool is_duration = field.number == IDLE_GAP_FIELD || field.number == GRACE_FIELD
                           || field.number == MAX_DURATION_FIELD;
        if (is_duration && field.wire == BYTES)
            while (field.bytes.size > 0)
                if (!take_field(&field.bytes, &part))
                    return false;
    }
    return true;
}

/* The policy; NULL without an exception for one that makes its event invalid. */
static PyObject *
policy_of(MessageReader *self, Span bytes)
{
    PyObject *last = self->last_policy_bytes;
    if (last != NULL && PyBytes_GET_SIZE(last) == bytes.size
        && memcmp(PyBytes_AS_STRING(last), bytes.at, (size_t)bytes.size) == 0)
        return Py_NewRef(self->last_policy);
    if (!is_flat_policy(bytes))
        return NULL;
    PyObject *value = PyBytes_FromStringAndSize((const char *)bytes.at, bytes.size);
    if (value == NULL)
        return NULL;
    PyObject *policy = PyObject_CallOneArg(self->policy_of, value);
    if (policy == NULL || policy == Py_None) {
        Py_DECREF(value);
        Py_CLEAR(policy);
        return NULL;
    }
    Py_XSETREF(self->last_policy_bytes, value);
    Py_XSETREF(self->last_policy, Py_NewRef(policy));
    return policy;
}

/* Whether the metadata may be stored; false with an exception where Python raised one. */
static bool
is_metadata(MessageReader *self, Span bytes)
{
    if (bytes.size == 0)
        return true;
    PyObject *text = new_text(bytes);
    if (text == NULL)
        return false;
    PyObject *answer = PyObject_CallOneArg(self->is_metadata, text);
    Py_DECREF(text);
    bool is_true = answer != NULL && PyObject_IsTrue(answer) == 1;
    Py_XDECREF(answer);
    return is_true;
}

/* What is made of a message, whose texts need not be wanted. */
typedef struct {
    MessageReader *reader;
    const Message *message;
    PyObject *record, *policy, *given;
    PyObject *texts[TEXTS];     /* made so far */
    PyObject *moments[MOMENTS]; /* made so far */
} Making;

static PyObject *
moment_item(Making *making, int which)
{
    const Moment *moments = making->message->moments;
    if (!moments[which].is_set)
        return Py_NewRef(Py_None);
    /* Without a clock of the client's all are one moment. */
    for (int i = 0; i < MOMENTS; i++)
        if (making->moments[i] != NULL && moments[i].microseconds == moments[which].microseconds)
            return Py_NewRef(making->moments[i]);
    making->moments[which] = new_datetime(moments[which].microseconds);
    return Py_XNewRef(making->moments[which]);
}

static PyObject *
text_item(Making *making, int which)
{
    if (making->texts[which] == NULL) {
        Span bytes = making->message->texts[which];
        making->texts[which] = text_of(making->reader, which, bytes);
    }
    return Py_XNewRef(making->texts[which]);
}

static PyObject *make_shape(Making *making, const Shape *shape);

static PyObject *
make_item(Making *making, const Item *item)
{
    const Message *message = making->message;
    switch (item->kind) {
    case TEXT_OR_NONE:
        if (message->texts[item->index].size == 0)
            return Py_NewRef(Py_None);
        return text_item(making, item->index);
    case TEXT_ITEM:
        return text_item(making, item->index);
    case MOMENT_ITEM:
        return moment_item(making, item->index);
    case PART_ITEM:
        return Py_NewRef(PyTuple_GET_ITEM(making->record, item->index));
    case POLICY_ITEM:
        return Py_NewRef(making->policy);
    case ROLE_ITEM:
        return Py_NewRef(PyTuple_GET_ITEM(making->reader->roles, message->role));
    case ROLE_VALUE_ITEM:
        return Py_NewRef(PyTuple_GET_ITEM(making->reader->role_values, message->role));
    case HAS_NO_USER:
        return PyBool_FromLong(message->texts[USER_ID].size == 0);
    case GIVEN_ITEM:
        return Py_NewRef(making->given);
    case SHAPE_ITEM:
        return make_shape(making, item->shape);
    }
    Py_UNREACHABLE();
}

/* A tuple of a type, as `tuple.__new__` makes it; it takes the items, whether or not it is made. */
static PyObject *
new_tuple(PyTypeObject *type, PyObject *const *items, Py_ssize_t size)
{
    PyObject *made = type == &PyTuple_Type ? PyTuple_New(size) : type->tp_alloc(type, size);
    if (made == NULL) {
        for (Py_ssize_t i = 0; i < size; i++)
            Py_DECREF(items[i]);
        return NULL;
    }
    for (Py_ssize_t i = 0; i < size; i++)
        PyTuple_SET_ITEM(made, i, items[i]);
#if PY_VERSION_HEX >= 0x030E0000
    /* Kept since then, and "not known yet" is not what an allocation says. */
    ((PyTupleObject *)made)->ob_hash = -1;
#endif
    return made;
}

/* NULL, without an exception where a text is none. */
static PyObject *
make_shape(Making *making, const Shape *shape)
{
    /* Python may run while items are made, and must not meet a tuple that is half filled. */
    PyObject *items[MAX_ITEMS];
    for (Py_ssize_t i = 0; i < shape->size; i++) {
        items[i] = make_item(making, &shape->items[i]);
        if (items[i] == NULL) {
            while (i-- > 0)
                Py_DECREF(items[i]);
            return NULL;
        }
    }
    if (shape->is_tuple)
        return new_tuple((PyTypeObject *)shape->make, items, shape->size);
    PyObject *made = PyObject_Vectorcall(shape->make, items, (size_t)shape->size, NULL);
    for (Py_ssize_t i = 0; i < shape->size; i++)
        Py_DECREF(items[i]);
    return made;
}

/* Whether all texts are, those too that are not wanted; false with an exception on no memory. */
static bool
are_texts(const Making *making)
{
    const Span *texts = making->message->texts;
    for (int i = 0; i < TEXTS; i++)
        if (texts[i].size > 0 && making->texts[i] == NULL && !is_text(texts[i]))
            return false;
    return true;
}

static bool
has_headers(MessageReader *self, PyObject *headers)
{
    if (headers == self->headers)
        return true;
    return PyObject_RichCompareBool(headers, self->headers, Py_EQ) == 1;
}

static bool
find_broker_time(MessageReader *self, PyObject *broker_time)
{
    /* The broker gives all records that it appends together the same one. */
    if (broker_time == self->last_broker_time)
        return true;
    if (!to_microseconds(broker_time, &self->last_broker_us))
        return false;
    Py_XSETREF(self->last_broker_time, Py_NewRef(broker_time));
    return true;
}

/* What is made of a record; NULL without an exception where another look is needed. */
static PyObject *
read_record(MessageReader *self, PyObject *record, PyObject *given)
{
    if (!PyTuple_Check(record) || PyTuple_GET_SIZE(record) != PARTS)
        return NULL;
    PyObject *key = PyTuple_GET_ITEM(record, KEY), *value = PyTuple_GET_ITEM(record, VALUE);
    if (!PyBytes_CheckExact(key) || !PyBytes_CheckExact(value))
        return NULL;
    if (!has_headers(self, PyTuple_GET_ITEM(record, HEADERS))
        || !find_broker_time(self, PyTuple_GET_ITEM(record, BROKER_TIME)))
        return NULL;
    Message message = {0};
    Span bytes = {(const uint8_t *)PyBytes_AS_STRING(value), PyBytes_GET_SIZE(value)};
    Span key_bytes = {(const uint8_t *)PyBytes_AS_STRING(key), PyBytes_GET_SIZE(key)};
    if (!read_event(bytes, &self->limits, &message)
        || !is_usual(&message, key_bytes, self->last_broker_us, &self->limits))
        return NULL;
    if (message.role >= (uint64_t)PyTuple_GET_SIZE(self->roles)
        || PyTuple_GET_ITEM(self->roles, message.role) == Py_None)
        return NULL;
    if (!is_metadata(self, message.texts[METADATA_JSON]))
        return NULL;
    PyObject *policy = policy_of(self, message.policy);
    if (policy == NULL)
        return NULL;
    Making making = {self, &message, record, policy, given, {NULL}, {NULL}};
    PyObject *made = make_shape(&making, self->shape);
    if (made != NULL && !are_texts(&making))
        Py_CLEAR(made);
    for (int i = 0; i < TEXTS; i++)
        Py_XDECREF(making.texts[i]);
    for (int i = 0; i < MOMENTS; i++)
        Py_XDECREF(making.moments[i]);
    Py_DECREF(policy);
    return made;
}

static PyObject *
reader_call(MessageReader *self, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"records", "given", NULL};
    PyObject *records, *given;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OO:MessageReader", names, &records, &given))
        return NULL;
    /* A tuple of its own: nobody takes a record away while Python is asked about another. */
    records = PySequence_Tuple(records);
    if (records == NULL)
        return NULL;
    PyObject *all = PyList_New(0);
    for (Py_ssize_t i = 0; all != NULL && i < PyTuple_GET_SIZE(records); i++) {
        PyObject *made = read_record(self, PyTuple_GET_ITEM(records, i), given);
        if (made == NULL && !PyErr_Occurred())
            made = Py_NewRef(Py_None);
        if (made == NULL || PyList_Append(all, made) < 0)
            Py_CLEAR(all);
        Py_XDECREF(made);
    }
    Py_DECREF(records);
    return all;
}

/* ------------------------------------------------------------------ the module */

PyDoc_STRVAR(reader_doc,
"MessageReader(shape, roles, policy_of, is_metadata, headers, max_id_bytes, earliest_s, latest_s,\n"
"              tolerance_us)\n"
"--\n"
"\n"
"Called with records, and with what is given for all of them, it makes of the message of each\n"
"record what the shape says; None where another look is needed.");

static PyTypeObject MessageReaderType = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "parley.codec.speedups.MessageReader",
    .tp_doc = reader_doc,
    .tp_basicsize = sizeof(MessageReader),
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_new = reader_new,
    .tp_dealloc = (destructor)reader_dealloc,
    .tp_call = (ternaryfunc)reader_call,
};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT,
    .m_name = "speedups",
    .m_doc = "Reads messages where they are certain to be valid: see parley.codec.usual.",
    .m_size = -1,
};

PyMODINIT_FUNC
PyInit_speedups(void)
{
    PyDateTime_IMPORT;
    if (PyDateTimeAPI == NULL)
        return NULL;
    PyObject *made = PyModule_Create(&module);
    if (made != NULL && PyModule_AddType(made, &MessageReaderType) < 0)
        Py_CLEAR(made);
    return made;
}
