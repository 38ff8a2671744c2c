"""What stands between source and log: Great Expectations suites and the record's own schema."""
