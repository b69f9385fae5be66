# Registry numbers, services and the execution policy.

function Get-RegistryNumber {
    param([Parameter(Mandatory = $true)][string]$Path, [Parameter(Mandatory = $true)][string]$Name)
    $item = Get-ItemProperty -LiteralPath $Path -Name $Name -ErrorAction SilentlyContinue
    if ($null -eq $item) {
        return $null
    }
    return [int]$item.$Name
}

function Set-RegistryNumber {
    param(
        [Parameter(Mandatory = $true)][string]$Path,
        [Parameter(Mandatory = $true)][string]$Name,
        [Parameter(Mandatory = $true)][int]$Value
    )
    $present = Get-RegistryNumber -Path $Path -Name $Name
    if ($present -eq $Value) {
        return
    }
    Invoke-Change -Kind 'RegistryNumber' -Target "$Path|$Name" -Old $present -New $Value -Do {
        Restore-RegistryNumber -Path $Path -Name $Name -Value $Value
    }
}

function Restore-RegistryNumber {
    # Nothing as a value removes the name.
    param([Parameter(Mandatory = $true)][string]$Path, [Parameter(Mandatory = $true)][string]$Name, $Value = $null)
    if ($null -eq $Value) {
        Remove-ItemProperty -LiteralPath $Path -Name $Name -ErrorAction SilentlyContinue
        return
    }
    if (-not (Test-Path -LiteralPath $Path)) {
        New-Item -Path $Path -Force | Out-Null
    }
    New-ItemProperty -LiteralPath $Path -Name $Name -Value ([int]$Value) -PropertyType DWord -Force | Out-Null
}

function Undo-RegistryNumber {
    param([Parameter(Mandatory = $true)]$Entry)
    $parts = ([string]$Entry.target) -split '\|'
    Restore-RegistryNumber -Path $parts[0] -Name $parts[1] -Value $Entry.old
}

function Test-ServiceRunning {
    param([Parameter(Mandatory = $true)][string]$Name)
    $service = Get-Service -Name $Name -ErrorAction SilentlyContinue
    return ($null -ne $service -and [string]$service.Status -eq 'Running')
}

function Set-ServiceRunning {
    param([Parameter(Mandatory = $true)][string]$Name)
    $service = Get-Service -Name $Name -ErrorAction SilentlyContinue
    if ($null -eq $service) {
        if ($WhatIfPreference) {
            Write-Note "the service $Name is not there yet: it would be set to start by itself once it is installed."
            return
        }
        throw "There is no service $Name on this machine."
    }
    $present = [ordered]@{ start = [string]$service.StartType; status = [string]$service.Status }
    if ($present.start -eq 'Automatic' -and $present.status -eq 'Running') {
        return
    }
    $wanted = [ordered]@{ start = 'Automatic'; status = 'Running' }
    Invoke-Change -Kind 'ServiceState' -Target $Name -Old $present -New $wanted -Do {
        # A delayed automatic start counts as Automatic here, and is left as it is.
        if ($present.start -ne 'Automatic') {
            Set-Service -Name $Name -StartupType Automatic
        }
        Start-Service -Name $Name
    }
}

function Undo-ServiceState {
    param([Parameter(Mandatory = $true)]$Entry)
    if ([string]$Entry.old.status -ne 'Running') {
        Stop-Service -Name $Entry.target -Force -ErrorAction SilentlyContinue
    }
    if ([string]$Entry.old.start -ne 'Automatic') {
        Set-Service -Name $Entry.target -StartupType $Entry.old.start
    }
}

function Set-MachinePolicy {
    param([Parameter(Mandatory = $true)][string]$Value)
    $present = [string](Get-ExecutionPolicy -Scope LocalMachine)
    if (@('RemoteSigned', 'Unrestricted', 'Bypass') -contains $present) {
        return
    }
    Invoke-Change -Kind 'ExecutionPolicy' -Target 'LocalMachine' -Old $present -New $Value -Do {
        Restore-ExecutionPolicy -Value $Value
    }
}

function Restore-ExecutionPolicy {
    param([Parameter(Mandatory = $true)][string]$Value)
    try {
        Set-ExecutionPolicy -Scope LocalMachine -ExecutionPolicy $Value -Force
    } catch {
        # `powershell -ExecutionPolicy Bypass` overrides the machine's policy for this process, which is reported
        # as an error although the policy was set.
        if ([string](Get-ExecutionPolicy -Scope LocalMachine) -ne $Value) {
            throw
        }
    }
}

function Undo-ExecutionPolicy {
    param([Parameter(Mandatory = $true)]$Entry)
    Restore-ExecutionPolicy -Value ([string]$Entry.old)
}
