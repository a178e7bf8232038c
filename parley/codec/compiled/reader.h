/* Reads messages from the log's bytes where they are certain to be valid, many at once.
 *
 * Nearly everything in the log is a message of which nothing is unusual. To read it by Protobuf's
 * own objects and to ask Python of each field whether it may be stored takes ten times as long.
 * Nothing is decided here: a record of which anything is unusual is None, and is read closely by
 * parley.codec.events, which says what is wrong with it, if anything. What is read here reads the
 * same there. Python gives all limits and names; the numbers of the fields are those of proto/.
 */

#pragma once

#include "shape.h"

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
