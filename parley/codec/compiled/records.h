/* The client's records as Parley's. */

#pragma once

#include "shape.h"
#include "values.h"

/* What the client calls what is read of its record. */
enum named { ITS_OFFSET, ITS_TIMESTAMP, ITS_KEY, ITS_VALUE, ITS_HEADERS, ITS_NAMES };

static const char *const NAMES_OF_ITS[ITS_NAMES] = {
    "offset", "timestamp", "key", "value", "headers",
};

typedef struct {
    PyObject_HEAD
    PyTypeObject *make;
    PyObject *headers, *other_headers, *time_of;
    PyObject *names[ITS_NAMES];
    /* What was read last: the broker gives all records that it appends together one time. */
    int64_t last_ms;
    PyObject *last_time;
} RecordMaker;

static PyObject *
maker_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"make", "headers", "other_headers", "time_of", NULL};
    PyObject *make, *headers, *other_headers, *time_of;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O!O!OO:RecordMaker", names, &PyType_Type, &make,
                                     &PyTuple_Type, &headers, &other_headers, &time_of))
        return NULL;
    if (!PyType_IsSubtype((PyTypeObject *)make, &PyTuple_Type)) {
        PyErr_SetString(PyExc_TypeError, "a record is a tuple");
        return NULL;
    }
    RecordMaker *self = (RecordMaker *)type->tp_alloc(type, 0);
    if (self == NULL)
        return NULL;
    self->make = (PyTypeObject *)Py_NewRef(make);
    self->headers = Py_NewRef(headers);
    self->other_headers = Py_NewRef(other_headers);
    self->time_of = Py_NewRef(time_of);
    for (int i = 0; i < ITS_NAMES; i++) {
        self->names[i] = PyUnicode_InternFromString(NAMES_OF_ITS[i]);
        if (self->names[i] == NULL) {
            Py_DECREF(self);
            return NULL;
        }
    }
    return (PyObject *)self;
}

static void
maker_dealloc(RecordMaker *self)
{
    Py_XDECREF(self->make);
    Py_XDECREF(self->headers);
    Py_XDECREF(self->other_headers);
    Py_XDECREF(self->time_of);
    Py_XDECREF(self->last_time);
    for (int i = 0; i < ITS_NAMES; i++)
        Py_XDECREF(self->names[i]);
    Py_TYPE(self)->tp_free((PyObject *)self);
}

/* Milliseconds since 1970 as a datetime; of what no datetime can be the other way says what is
 * wrong. */
static PyObject *
broker_time(RecordMaker *self, PyObject *timestamp)
{
    int overflow = 0;
    int64_t ms = PyLong_Check(timestamp) ? PyLong_AsLongLongAndOverflow(timestamp, &overflow) : -1;
    if (overflow || ms < 0 || ms >= END_MS)
        return PyObject_CallOneArg(self->time_of, timestamp);
    if (self->last_time == NULL || self->last_ms != ms) {
        PyObject *made = new_datetime(ms * 1000);
        if (made == NULL)
            return NULL;
        Py_XSETREF(self->last_time, made);
        self->last_ms = ms;
    }
    return Py_NewRef(self->last_time);
}

/* Nearly always the usual ones; that they are the same object makes it quick to tell. */
static PyObject *
headers_of(RecordMaker *self, PyObject *found)
{
    PyObject *headers = PySequence_Tuple(found);
    if (headers == NULL)
        return NULL;
    int is_usual = PyObject_RichCompareBool(headers, self->headers, Py_EQ);
    PyObject *made = is_usual < 0    ? NULL
                     : is_usual == 1 ? Py_NewRef(self->headers)
                                     : PyObject_CallOneArg(self->other_headers, headers);
    Py_DECREF(headers);
    return made;
}

static PyObject *
make_part(RecordMaker *self, PyObject *found, enum named which)
{
    PyObject *read = PyObject_GetAttr(found, self->names[which]), *made = read;
    if (read != NULL && (which == ITS_TIMESTAMP || which == ITS_HEADERS)) {
        made = which == ITS_TIMESTAMP ? broker_time(self, read) : headers_of(self, read);
        Py_DECREF(read);
    }
    return made;
}

static PyObject *
make_record(RecordMaker *self, PyObject *topic, PyObject *partition, PyObject *found)
{
    PyObject *parts[PARTS] = {Py_NewRef(topic), Py_NewRef(partition)};
    for (int i = 0; i < ITS_NAMES; i++) {
        /* They stand in the order of LogRecord's. */
        parts[OFFSET + i] = make_part(self, found, i);
        if (parts[OFFSET + i] == NULL) {
            for (int part = 0; part < OFFSET + i; part++)
                Py_DECREF(parts[part]);
            return NULL;
        }
    }
    return new_tuple(self->make, parts, PARTS);
}

static PyObject *
maker_call(RecordMaker *self, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"place", "record", NULL};
    PyObject *place, *found;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O!O:RecordMaker", names, &PyTuple_Type, &place,
                                     &found))
        return NULL;
    if (PyTuple_GET_SIZE(place) != 2) {
        PyErr_SetString(PyExc_TypeError, "a place is a topic and a partition");
        return NULL;
    }
    return make_record(self, PyTuple_GET_ITEM(place, 0), PyTuple_GET_ITEM(place, 1), found);
}

PyDoc_STRVAR(maker_doc,
"RecordMaker(make, headers, other_headers, time_of)\n"
"--\n"
"\n"
"Called with a topic and a partition, and with a record of the client, it makes the record of that\n"
"type. Headers that are not the usual ones, and times that cannot be, are asked for.");

static PyTypeObject RecordMakerType = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "parley.codec.speedups.RecordMaker",
    .tp_doc = maker_doc,
    .tp_basicsize = sizeof(RecordMaker),
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_new = maker_new,
    .tp_dealloc = (destructor)maker_dealloc,
    .tp_call = (ternaryfunc)maker_call,
};
