"""A dub with its manifest: what went in is read before the work, what came out written after it."""

from dataclasses import dataclass
from pathlib import Path

from avdub.jobs.manifest import manifest_of, read_manifest, write_manifest
from avdub.jobs.recipe import Recipe, recipe_of
from avdub.media.probe import probe
from avdub.media.splice import check_output
from avdub.pipeline.options import DubOptions
from avdub.pipeline.report import DubReport
from avdub.pipeline.run import default_output


@dataclass(frozen=True)
class Record:
    """What a dub is about to be made from."""

    recipe: Recipe

    @classmethod
    def begin(
        cls, video: Path, subtitles: Path | None, output: Path | None, options: DubOptions
    ) -> "Record":
        """Read the inputs. Raises what `dub` would for them, and InputError for a manifest's name
        that is taken."""
        output = output or default_output(probe(video))
        check_output(output, video, options.overwrite)
        read_manifest(output)
        return cls(recipe_of(video, subtitles, options))

    def keep(self, report: DubReport) -> Path:
        """Write the manifest beside the output; returns its path. Raises InputError."""
        return write_manifest(report.output, manifest_of(self.recipe, report))
