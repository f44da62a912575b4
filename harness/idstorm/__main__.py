"""`python -m idstorm` is the command `idstorm`."""

from idstorm.cli import main

if __name__ == "__main__":
    main()
