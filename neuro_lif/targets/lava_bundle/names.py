"""What our Lava processes call their ports and Vars."""


def port_name(port: str) -> str:
    """Return what the InPort of a neuron model's port is called."""
    return "a_in" if port == "in" else f"a_in_{port}"


def register_name(register: str) -> str:
    """Return what the Var of a register is called; a plain name might be one of Lava's own."""
    return f"reg_{register}"
