/* What a message says, and whether that is usual. */

#pragma once

#include "values.h"

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

#define NANOSECONDS 1000000000

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
