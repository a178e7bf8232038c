/* Python's texts, tuples and times, of bytes, items and microseconds. */

#pragma once

#include <string.h>
#include <datetime.h>

#include "wire.h"

#define UUID_BYTES 36
#define MICROSECONDS 1000000
#define DAY_S 86400
#define END_MS 253402300800000 /* the year 10000, in milliseconds since 1970 */

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

/* ------------------------------------------------------------------ tuples */

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

/* `moment - epoch` in microseconds; false with an exception where they are no times alike. */
static bool
elapsed_since(PyObject *epoch, PyObject *moment, int64_t *microseconds)
{
    PyObject *elapsed = PyNumber_Subtract(moment, epoch);
    if (elapsed == NULL)
        return false;
    bool is_delta = PyDelta_Check(elapsed);
    if (is_delta) {
        int64_t seconds = (int64_t)PyDateTime_DELTA_GET_DAYS(elapsed) * DAY_S
                          + PyDateTime_DELTA_GET_SECONDS(elapsed);
        *microseconds = seconds * MICROSECONDS + PyDateTime_DELTA_GET_MICROSECONDS(elapsed);
    }
    else
        PyErr_SetString(PyExc_TypeError, "an epoch and a moment are both times");
    Py_DECREF(elapsed);
    return is_delta;
}

/* The same alone in a tuple: as the driver takes a time. */
static PyObject *
microseconds_since(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    (void)module;
    if (count != 2) {
        PyErr_SetString(PyExc_TypeError, "microseconds_since takes an epoch and a moment");
        return NULL;
    }
    int64_t microseconds;
    if (!elapsed_since(args[0], args[1], &microseconds))
        return NULL;
    PyObject *made = PyLong_FromLongLong(microseconds);
    return made == NULL ? NULL : new_tuple(&PyTuple_Type, &made, 1);
}
