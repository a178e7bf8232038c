/* Rows as PostgreSQL's binary COPY takes them: of each its number of columns, of each value its
 * size in bytes and the bytes, or -1 for none; all numbers with their greatest byte first.
 *
 * The driver looks up a codec for every value, and its buffer grows by a kilobyte at a time. What
 * it writes is what is written here.
 */

#pragma once

#include "values.h"

#define POSTGRES_EPOCH_US INT64_C(946684800000000) /* the year 2000, since 1970 */
#define MAX_VALUE_BYTES 0x3fffffff                 /* PostgreSQL's own limit */
#define TEXT_OID 25
#define RAW_UUID_BYTES 16

typedef struct {
    PyObject *bytes;
    Py_ssize_t size; /* of what was written; the object is longer */
} Output;

/* Where so many bytes more are to be written; NULL with an exception where memory is out. */
static uint8_t *
extend(Output *out, Py_ssize_t size)
{
    Py_ssize_t needed = out->size + size;
    if (needed > PyBytes_GET_SIZE(out->bytes)
        && _PyBytes_Resize(&out->bytes, needed + needed / 2) < 0)
        return NULL;
    uint8_t *at = (uint8_t *)PyBytes_AS_STRING(out->bytes) + out->size;
    out->size = needed;
    return at;
}

static void
store(uint8_t *at, uint64_t number, int size)
{
    for (int i = 0; i < size; i++)
        at[i] = (uint8_t)(number >> (8 * (size - 1 - i)));
}

static bool
put_number(Output *out, int64_t number, int size)
{
    uint8_t *at = extend(out, size);
    if (at == NULL)
        return false;
    store(at, (uint64_t)number, size);
    return true;
}

/* A value that is a number. */
static bool
put_sized_number(Output *out, int64_t number, int size)
{
    return put_number(out, size, 4) && put_number(out, number, size);
}

static bool
put_bytes(Output *out, const void *bytes, Py_ssize_t size)
{
    if (size > MAX_VALUE_BYTES) {
        PyErr_SetString(PyExc_ValueError, "a value has more than a gigabyte");
        return false;
    }
    uint8_t *at = extend(out, 4 + size);
    if (at == NULL)
        return false;
    store(at, (uint64_t)size, 4);
    if (size > 0)
        memcpy(at + 4, bytes, (size_t)size);
    return true;
}

static bool
is_instance(int answer, const char *expected, PyObject *value)
{
    if (!answer)
        PyErr_Format(PyExc_TypeError, "expected %s, got %.100s", expected, Py_TYPE(value)->tp_name);
    return answer;
}

/* ------------------------------------------------------------------ values */

static bool
put_text(Output *out, PyObject *value)
{
    Py_ssize_t size = 0;
    if (!is_instance(PyUnicode_Check(value), "str", value))
        return false;
    const char *text = PyUnicode_AsUTF8AndSize(value, &size);
    return text != NULL && put_bytes(out, text, size);
}

/* The version of the format, and a text. */
static bool
put_jsonb(Output *out, PyObject *value)
{
    Py_ssize_t began = out->size;
    if (!put_text(out, value))
        return false;
    Py_ssize_t size = out->size - began - 4;
    if (extend(out, 1) == NULL)
        return false;
    uint8_t *at = (uint8_t *)PyBytes_AS_STRING(out->bytes) + began;
    memmove(at + 5, at + 4, (size_t)size);
    store(at, (uint64_t)size + 1, 4);
    at[4] = 1;
    return true;
}

static bool
put_bytea(Output *out, PyObject *value)
{
    if (!is_instance(PyBytes_Check(value), "bytes", value))
        return false;
    return put_bytes(out, PyBytes_AS_STRING(value), PyBytes_GET_SIZE(value));
}

static uint8_t
hex_digit(uint8_t c)
{
    return (uint8_t)(c <= '9' ? c - '0' : c - 'a' + 10);
}

/* A text as Parley writes ids, in small letters and with dashes. */
static bool
put_uuid(Output *out, PyObject *value)
{
    Py_ssize_t size = 0;
    if (!is_instance(PyUnicode_Check(value), "str", value))
        return false;
    const uint8_t *text = (const uint8_t *)PyUnicode_AsUTF8AndSize(value, &size);
    if (text == NULL)
        return false;
    if (!is_uuid((Span){text, size})) {
        PyErr_SetString(PyExc_ValueError, "not a UUID");
        return false;
    }
    uint8_t *at = extend(out, 4 + RAW_UUID_BYTES);
    if (at == NULL)
        return false;
    store(at, RAW_UUID_BYTES, 4);
    at += 4;
    for (int i = 0; i < UUID_BYTES; i += 2) {
        if (text[i] == '-')
            i++;
        *at++ = (uint8_t)(hex_digit(text[i]) << 4 | hex_digit(text[i + 1]));
    }
    return true;
}

static bool
put_timestamptz(Output *out, PyObject *value)
{
    int64_t microseconds;
    if (!to_microseconds(value, &microseconds)) {
        PyObject *epoch = new_datetime(0);
        bool is_time = epoch != NULL && elapsed_since(epoch, value, &microseconds);
        Py_XDECREF(epoch);
        if (!is_time)
            return false;
    }
    return put_sized_number(out, microseconds - POSTGRES_EPOCH_US, 8);
}

/* Microseconds, days and months. */
static bool
put_interval(Output *out, PyObject *value)
{
    if (!is_instance(PyDelta_Check(value), "timedelta", value))
        return false;
    int64_t microseconds = (int64_t)PyDateTime_DELTA_GET_SECONDS(value) * MICROSECONDS
                           + PyDateTime_DELTA_GET_MICROSECONDS(value);
    return put_number(out, 16, 4) && put_number(out, microseconds, 8)
           && put_number(out, PyDateTime_DELTA_GET_DAYS(value), 4) && put_number(out, 0, 4);
}

static bool
put_bool(Output *out, PyObject *value)
{
    return is_instance(PyBool_Check(value), "bool", value)
           && put_sized_number(out, value == Py_True, 1);
}

static bool
put_integer(Output *out, PyObject *value, int size)
{
    if (!is_instance(PyLong_Check(value), "int", value))
        return false;
    int64_t number = PyLong_AsLongLong(value);
    if (number == -1 && PyErr_Occurred())
        return false;
    int unused = 64 - 8 * size;
    if ((int64_t)((uint64_t)number << unused) >> unused != number) {
        PyErr_Format(PyExc_OverflowError, "an integer of %d bytes is out of range", size);
        return false;
    }
    return put_sized_number(out, number, size);
}

static bool
put_int8(Output *out, PyObject *value)
{
    return put_integer(out, value, 8);
}

static bool
put_int4(Output *out, PyObject *value)
{
    return put_integer(out, value, 4);
}

/* Dimensions, whether one is null, the type; of the dimension its length and first index. */
static bool
put_texts(Output *out, PyObject *value)
{
    if (!is_instance(PyList_Check(value) || PyTuple_Check(value), "list or tuple", value))
        return false;
    Py_ssize_t began = out->size, count = PySequence_Fast_GET_SIZE(value);
    if (!put_number(out, 0, 4) || !put_number(out, count > 0, 4) || !put_number(out, 0, 4)
        || !put_number(out, TEXT_OID, 4))
        return false;
    if (count > 0 && (!put_number(out, count, 4) || !put_number(out, 1, 4)))
        return false;
    for (Py_ssize_t i = 0; i < count; i++)
        if (!put_text(out, PySequence_Fast_GET_ITEM(value, i)))
            return false;
    store((uint8_t *)PyBytes_AS_STRING(out->bytes) + began, (uint64_t)(out->size - began - 4), 4);
    return true;
}

/* ------------------------------------------------------------------ rows */

typedef bool (*Put)(Output *out, PyObject *value);

#define MAX_COLUMNS 64

/* The writer of a type of PostgreSQL's; NULL with an exception where there is none. */
static Put
put_of(PyObject *type)
{
    static const struct {
        const char *name;
        Put put;
    } KNOWN[] = {
        {"text", put_text},     {"jsonb", put_jsonb}, {"bytea", put_bytea},
        {"uuid", put_uuid},     {"bool", put_bool},   {"timestamptz", put_timestamptz},
        {"int8", put_int8},     {"int4", put_int4},   {"interval", put_interval},
        {"text[]", put_texts},
    };
    const char *name = PyUnicode_Check(type) ? PyUnicode_AsUTF8(type) : NULL;
    for (size_t i = 0; name != NULL && i < sizeof(KNOWN) / sizeof(*KNOWN); i++)
        if (strcmp(name, KNOWN[i].name) == 0)
            return KNOWN[i].put;
    if (!PyErr_Occurred())
        PyErr_Format(PyExc_LookupError, "no rows are written with columns of type %R", type);
    return NULL;
}

static bool
put_row(Output *out, PyObject *row, const Put *puts, Py_ssize_t width)
{
    if (!is_instance(PyTuple_Check(row), "tuple", row))
        return false;
    if (PyTuple_GET_SIZE(row) != width) {
        PyErr_Format(PyExc_ValueError, "a row has %zd values for %zd columns",
                     PyTuple_GET_SIZE(row), width);
        return false;
    }
    if (!put_number(out, width, 2))
        return false;
    for (Py_ssize_t i = 0; i < width; i++) {
        PyObject *value = PyTuple_GET_ITEM(row, i);
        if (value == Py_None ? !put_number(out, -1, 4) : !puts[i](out, value))
            return false;
    }
    return true;
}

static PyObject *
rows_to_copy(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    (void)module;
    if (count != 2 || !PyTuple_Check(args[0]) || !PyList_Check(args[1])) {
        PyErr_SetString(PyExc_TypeError, "rows_to_copy takes a tuple of types and a list of rows");
        return NULL;
    }
    Put puts[MAX_COLUMNS];
    Py_ssize_t width = PyTuple_GET_SIZE(args[0]);
    if (width > MAX_COLUMNS) {
        PyErr_Format(PyExc_ValueError, "a row has at most %d columns", MAX_COLUMNS);
        return NULL;
    }
    for (Py_ssize_t i = 0; i < width; i++)
        if ((puts[i] = put_of(PyTuple_GET_ITEM(args[0], i))) == NULL)
            return NULL;
    Py_ssize_t size = PyList_GET_SIZE(args[1]);
    Output out = {PyBytes_FromStringAndSize(NULL, 64 + 256 * size), 0};
    for (Py_ssize_t i = 0; out.bytes != NULL && i < size; i++)
        if (!put_row(&out, PyList_GET_ITEM(args[1], i), puts, width))
            Py_CLEAR(out.bytes);
    if (out.bytes != NULL)
        _PyBytes_Resize(&out.bytes, out.size);
    return out.bytes;
}
