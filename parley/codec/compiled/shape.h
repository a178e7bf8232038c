/* Shapes: what is made of a message. A reader is made once for one:
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

#pragma once

#include "message.h"

#define MAX_ITEMS 32

/* parley.codec.record.LogRecord. */
enum part { TOPIC, PARTITION, OFFSET, BROKER_TIME, KEY, VALUE, HEADERS, PARTS };

static const char *const PART_NAMES[PARTS] = {
    "record.topic", "record.partition", "record.offset", "record.broker_time", "record.key",
    "record.value", "record.headers",
};

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
