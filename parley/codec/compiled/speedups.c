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

#include "reader.h"

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
