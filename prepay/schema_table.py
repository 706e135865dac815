"""What every table of a profile's file has in common."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

#: A text of a profile.
Text = Annotated[str, Field(min_length=1, max_length=120)]


class Table(BaseModel):
    """Every key known, present and of its type."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)
