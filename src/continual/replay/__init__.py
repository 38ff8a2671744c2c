"""The replay lab: the application's own flows in simulated time over logged history, one sandbox a policy."""
