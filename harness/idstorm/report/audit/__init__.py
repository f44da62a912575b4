"""The reports of `idstorm audit`, from what it found."""
