"""Papers that go out or into a file: built from values, printed as PDF, written as XLSX and CSV. No database, no HTTP."""
