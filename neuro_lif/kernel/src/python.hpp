// What both engines hand to Python and take from it.
#pragma once
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <algorithm>
#include <exception>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "view.hpp"

namespace nb = nanobind;

using Any = nb::ndarray<nb::ro, nb::numpy, nb::c_contig, nb::device::cpu>;

void add_clocked(nb::module_& m);  // clocked_module.cpp
void add_tally(nb::module_& m);    // tally.cpp

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

// Where the rows of synapses of a projection stand; keep(array) has it live on.
template <class P, class Keep>
void set_rows(P& p, const Keep& keep, const Any& row_start, const nb::object& segment_start,
              const nb::object& segment_delay, const Any& posts, const nb::object& weights,
              bool by_row) {
    p.row_start = keep(row_start);
    p.single = segment_start.is_none();
    if (!p.single) {
        p.segment_start = keep(nb::cast<Any>(segment_start));
        p.segment_delay = keep(nb::cast<Any>(segment_delay));
    }
    p.posts = keep(posts);
    if (!weights.is_none()) p.weights = keep(nb::cast<Any>(weights));
    p.by_row = by_row;
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

// Call part(k) for k = 0 .. many - 1, a thread each; the first error of any is this call's.
template <class F>
void in_threads(int many, const F& part) {
    std::mutex noting;
    std::exception_ptr error;
    auto guarded = [&](int k) {
        try {
            part(k);
        } catch (...) {
            const std::lock_guard<std::mutex> alone(noting);
            if (!error) error = std::current_exception();
        }
    };
    std::vector<std::thread> others;
    for (int k = 1; k < many; k++) others.emplace_back(guarded, k);
    guarded(0);
    for (auto& thread : others) thread.join();
    if (error) std::rethrow_exception(error);
}

// Do f(k) for every sample from `first` on; each thread has its own.
template <class F>
void shared_by_threads(size_t n_samples, int threads, F&& f, size_t first = 0) {
    const int many = std::max(1, std::min(threads, int(n_samples - first)));
    in_threads(many, [&](int which) {
        for (size_t k = first + which; k < n_samples; k += many) f(k);
    });
}

// Steps that every sample has done; one that is not there yet has done none.
template <class Samples>
int64_t steps_done(const Samples& samples) {
    int64_t least = INT64_MAX;
    for (const auto& s : samples) least = std::min(least, s ? s->done : 0);
    return least;
}

template <class T, class Samples>
nb::tuple spikes_taken(Samples& samples, int population, int64_t n_steps, int threads,
                       std::vector<T> Spikes::*who) {
    constexpr int64_t WORTH_IT = 100000;  // spikes
    const size_t n = samples.size();
    std::vector<int64_t> start{0}, value;
    bool plain = true;
    for (const auto& s : samples) {  // one that went on beyond n_steps hands over no more than those
        int64_t many = 0;
        if (s) {
            const Spikes& own = s->spikes[population];
            const int64_t steps = std::min(int64_t(own.counts.size()), n_steps);
            for (int64_t t = 0; t < steps; t++) many += own.counts[t];
            plain &= own.value.empty();
        }
        start.push_back(start.back() + many);
    }
    if (!plain) value.assign(start.back(), 1);
    std::unique_ptr<uint32_t[]> counts(new uint32_t[n * n_steps]());
    std::unique_ptr<T[]> neuron(new T[start.back()]);
    {
        nb::gil_scoped_release unlocked;
        shared_by_threads(n, start.back() < WORTH_IT ? 1 : threads, [&](size_t k) {
            if (!samples[k]) return;
            Spikes& own = samples[k]->spikes[population];
            std::copy_n(own.counts.begin(), std::min(int64_t(own.counts.size()), n_steps),
                        counts.get() + k * n_steps);
            const int64_t many = start[k + 1] - start[k];
            std::copy_n((own.*who).begin(), many, neuron.get() + start[k]);
            if (!own.value.empty()) std::copy_n(own.value.begin(), many, value.begin() + start[k]);
            own = Spikes{};
        });
    }
    nb::object values = nb::none();
    if (!plain) values = as_array(std::move(value));
    return nb::make_tuple(as_array(std::move(counts), n * n_steps),
                          as_array(std::move(neuron), start.back()), values);
}

// A population's spikes, which are handed over: how many there were in each step, (batch, steps)
// flat; who, sample by sample, step by step; and what each sent, or None where that is 1.
template <class Samples>
nb::tuple spikes_taken(Samples& samples, int population, int64_t n_steps, int threads, bool narrow) {
    return narrow ? spikes_taken<uint16_t>(samples, population, n_steps, threads, &Spikes::narrow)
                  : spikes_taken<uint32_t>(samples, population, n_steps, threads, &Spikes::wide);
}

}  // namespace neuro_lif
