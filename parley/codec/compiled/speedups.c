/* The compiled part of the codec: parley.codec.usual, parley.log.records and parley.db.times use it
 * where it is there, and do without it where no compiler was.
 */

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "reader.h"
#include "records.h"

static PyMethodDef functions[] = {
    {"microseconds_since", (PyCFunction)(void (*)(void))microseconds_since, METH_FASTCALL,
     "microseconds_since(epoch, moment) -> (microseconds,)"},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT,
    .m_name = "speedups",
    .m_doc = "What is done for every record and every time, at a fraction of the cost.",
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
