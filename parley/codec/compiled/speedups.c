/* The compiled part of the codec: parley.codec.usual, parley.log.records, parley.db.times and
 * parley.db.copying use it where it is there, and do without it where no compiler was.
 */

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "reader.h"
#include "records.h"
#include "rows.h"

static PyMethodDef functions[] = {
    {"microseconds_since", (PyCFunction)(void (*)(void))microseconds_since, METH_FASTCALL,
     "microseconds_since(epoch, moment) -> (microseconds,)"},
    {"rows_to_copy", (PyCFunction)(void (*)(void))rows_to_copy, METH_FASTCALL,
     "rows_to_copy(types, rows) -> bytes, of binary COPY without its head and its end"},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT,
    .m_name = "speedups",
    .m_doc = "What is done for every record, row and time, at a fraction of the cost.",
    .m_size = -1,
    .m_methods = functions,
};

PyMODINIT_FUNC
PyInit_speedups(void)
{
    PyDateTime_IMPORT;
    if (PyDateTimeAPI == NULL)
        return NULL;
    PyObject *made = PyModule_Create(&module);
    if (made != NULL
        && (PyModule_AddType(made, &MessageReaderType) < 0
            || PyModule_AddType(made, &RecordMakerType) < 0))
        Py_CLEAR(made);
    return made;
}
