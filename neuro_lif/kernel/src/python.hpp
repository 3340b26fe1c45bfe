// What both engines hand to Python and take from it.
#pragma once
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <algorithm>
#include <memory>
#include <thread>
#include <vector>

#include "view.hpp"

namespace nb = nanobind;

using Any = nb::ndarray<nb::ro, nb::numpy, nb::c_contig, nb::device::cpu>;

void add_clocked(nb::module_& m);  // clocked_module.cpp

namespace neuro_lif {

inline View view(const Any& array) {
    View v;
    v.data = array.data();
    v.width = int(array.itemsize());
    v.is_signed = array.dtype().code == uint8_t(nb::dlpack::dtype_code::Int);
    return v;
}

template <class T>
nb::object as_array(std::vector<T>&& values) {
    auto* kept = new std::vector<T>(std::move(values));
    nb::capsule owner(kept, [](void* p) noexcept { delete static_cast<std::vector<T>*>(p); });
    return nb::cast(nb::ndarray<nb::numpy, T>(kept->data(), {kept->size()}, owner));
}

template <class T>
nb::object as_array(std::unique_ptr<T[]>&& values, int64_t n) {
    T* kept = values.release();
    nb::capsule owner(kept, [](void* p) noexcept { delete[] static_cast<T*>(p); });
    return nb::cast(nb::ndarray<nb::numpy, T>(kept, {size_t(n)}, owner));
}

// Rows (batch or 1, steps, n) of an input.
inline Feed feed_of(const Any& rows) {
    Feed f;
    f.data = view(rows);
    f.n_steps = int64_t(rows.shape(1));
    f.n = int64_t(rows.shape(2));
    f.step_stride = f.n;
    f.sample_stride = rows.shape(0) == 1 ? 0 : f.n_steps * f.n;
    return f;
}

// Do f(k) for every sample; each thread has its own.
template <class F>
void shared_by_threads(size_t n_samples, int threads, F&& f) {
    const size_t many = std::max(1, std::min(threads, int(n_samples)));
    auto some = [&](size_t which) {
        for (size_t k = which; k < n_samples; k += many) f(k);
    };
    std::vector<std::thread> others;
    for (size_t k = 1; k < many; k++) others.emplace_back(some, k);
    some(0);
    for (auto& thread : others) thread.join();
}

// Steps that every sample has done.
template <class Samples>
int64_t steps_done(const Samples& samples) {
    int64_t least = INT64_MAX;
    for (const auto& s : samples) least = std::min(least, s->done);
    return least;
}

// (step, neuron, value or None) of a sample's spikes; they are handed over
inline nb::tuple spikes_of(Spikes& s) {
    nb::object values = nb::none();
    if (!s.value.empty()) values = as_array(std::move(s.value));
    nb::tuple out = nb::make_tuple(as_array(std::move(s.step)), as_array(std::move(s.neuron)), values);
    s = Spikes{};
    return out;
}

// The same of all samples one after the other: (how many of each, step, neuron, value or None).
template <class Samples>
nb::tuple spikes_of_all(Samples& samples, int population, int threads) {
    const size_t n = samples.size();
    std::vector<int64_t> counts, start{0}, value;
    bool plain = true;
    for (const auto& s : samples) {
        const Spikes& own = s->spikes.at(population);
        counts.push_back(int64_t(own.step.size()));
        start.push_back(start.back() + counts.back());
        plain &= own.value.empty();
    }
    if (!plain) value.assign(start.back(), 1);
    std::unique_ptr<uint32_t[]> step(new uint32_t[start.back()]);
    std::unique_ptr<uint32_t[]> neuron(new uint32_t[start.back()]);
    {
        nb::gil_scoped_release unlocked;
        shared_by_threads(n, threads, [&](size_t k) {
            Spikes& own = samples[k]->spikes[population];
            std::copy(own.step.begin(), own.step.end(), step.get() + start[k]);
            std::copy(own.neuron.begin(), own.neuron.end(), neuron.get() + start[k]);
            std::copy(own.value.begin(), own.value.end(), value.begin() + start[k]);
            own = Spikes{};
        });
    }
    nb::object values = nb::none();
    if (!plain) values = as_array(std::move(value));
    return nb::make_tuple(as_array(std::move(counts)), as_array(std::move(step), start.back()),
                          as_array(std::move(neuron), start.back()), values);
}

}  // namespace neuro_lif
