// Five seconds are too few where two cores do many things at once: programs that tests start alone may take that long.
jest.setTimeout(30_000);
