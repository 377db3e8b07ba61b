"""Traced programs get names that only the program decides."""

import re

import tensorflow as tf

from worker.engine.stable_names import stable_names


def traced(*program: object) -> str:
    """The name that TensorFlow gives what is traced under this one."""

    def run(x: tf.Tensor) -> tf.Tensor:
        return tf.while_loop(lambda x: x < 10, lambda x: (x + 1,), (x,))[0]

    function = tf.function(run, autograph=False)
    with stable_names(*program):
        assert function(tf.constant(1)) == 10
    return function.get_concrete_function(tf.constant(1)).name.decode()


def test_a_name_does_not_depend_on_what_was_traced_before() -> None:
    # Known by heart: another process must come to the same.
    assert traced("test", 1) == "__inference_run_6dbb050fd011857f_2"
    assert traced("test", 2) != traced("test", 3)


def test_a_program_that_is_traced_again_takes_no_names_from_the_first() -> None:
    assert traced("test", 4) != traced("test", 4)


def test_outside_names_are_tensorflows_own() -> None:
    traced("test", 5)
    plain = tf.function(lambda x: x + 1, autograph=False).get_concrete_function(tf.constant(1))
    assert re.fullmatch(r"__inference_<lambda>_\d+", plain.name.decode())
