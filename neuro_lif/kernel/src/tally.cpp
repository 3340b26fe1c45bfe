// Counts the spikes of a run that another run has, too, and those of each neuron, in one pass.
#include <stdexcept>

#include "python.hpp"

using namespace neuro_lif;

namespace {

template <class T>
int64_t count(const uint32_t* rows, int64_t n_rows, const T* neuron, int64_t n, int64_t per_sample,
              const uint8_t* other, int64_t* counts) {
    int64_t common = 0;
    for (int64_t row = 0; row < n_rows; row++) {
        const uint8_t* there = other + row * n;
        int64_t* of_sample = counts + row / per_sample * n;
        for (uint32_t k = rows[row]; k; k--) {
            const int64_t i = int64_t(*neuron++);
            if (i >= n) throw std::invalid_argument("a spike of a neuron that there is not");
            common += there[i];
            of_sample[i]++;
        }
    }
    return common;
}

// rows: spikes of every step, samples one after the other; other: 0 or 1 for every neuron and step.
nb::tuple tally(const Any& rows, const Any& neuron, int64_t n, int64_t batch, const Any& other) {
    const int64_t n_rows = int64_t(rows.size()), k = int64_t(neuron.size());
    const uint32_t* starts = static_cast<const uint32_t*>(rows.data());
    const bool narrow = neuron.itemsize() == 2;
    int64_t total = 0;
    if (rows.itemsize() != 4 || (!narrow && neuron.itemsize() != 4) || other.itemsize() != 1)
        throw std::invalid_argument("tally: widths of the numbers");
    for (int64_t row = 0; row < n_rows; row++) total += starts[row];
    if (n < 1 || batch < 1 || n_rows % batch || total != k || int64_t(other.size()) != n_rows * n)
        throw std::invalid_argument("tally: sizes that do not fit each other");
    std::vector<int64_t> counts(size_t(batch * n));
    int64_t common = 0;
    const auto* there = static_cast<const uint8_t*>(other.data());
    {
        nb::gil_scoped_release free;
        const int64_t per_sample = std::max<int64_t>(n_rows / batch, 1);
        common = narrow ? count(starts, n_rows, static_cast<const uint16_t*>(neuron.data()), n,
                                per_sample, there, counts.data())
                        : count(starts, n_rows, static_cast<const uint32_t*>(neuron.data()), n,
                                per_sample, there, counts.data());
    }
    return nb::make_tuple(common, as_array(std::move(counts)));
}

}  // namespace

void add_tally(nb::module_& m) { m.def("tally", &tally); }
