// The Python module neuro_lif.kernel._native.
#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "engine.hpp"

NB_MODULE(_native, module) {
    module.doc() = "The compiled kernel of neuro_lif.";
    module.def("compiled_sets", &neuro_lif::compiled_sets,
               "The instruction sets this module was compiled for.");
    module.def("usable_sets", &neuro_lif::usable_sets,
               "Those that this machine has, the best last.");
    module.def(
        "total",
        [](const std::vector<std::int64_t> &values) {
            return neuro_lif::sum(values.data(), values.size());
        },
        "The sum of the values.");
}
