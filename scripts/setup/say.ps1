# What the setup scripts print. It is for a person at this machine, so it goes to the host and not down a pipeline.

function Write-Step {
    param([Parameter(Mandatory = $true)][string]$Text)
    Write-Host ''
    Write-Host "== $Text" -ForegroundColor Cyan
}

function Write-Note {
    param([Parameter(Mandatory = $true)][string]$Text)
    Write-Host "  note: $Text" -ForegroundColor Yellow
}

function Write-Result {
    param([Parameter(Mandatory = $true)][bool]$Good, [Parameter(Mandatory = $true)][string]$Text)
    if ($Good) {
        Write-Host "  [ OK ] $Text" -ForegroundColor Green
    } else {
        Write-Host "  [FAIL] $Text" -ForegroundColor Red
    }
}

function Format-Value {
    # One word or line for a journal's old or new value, whatever its shape.
    param($Value)
    if ($null -eq $Value) {
        return 'nothing'
    }
    if ($Value -is [string] -or $Value -is [int] -or $Value -is [bool]) {
        return [string]$Value
    }
    return ($Value | ConvertTo-Json -Compress -Depth 6)
}
