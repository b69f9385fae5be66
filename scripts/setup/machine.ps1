# What this machine is.

function Get-GpuList {
    # NVIDIA's own tool tells the memory; other adapters are listed by name.
    $found = @()
    if ($null -ne (Get-Command -Name 'nvidia-smi.exe' -ErrorAction SilentlyContinue)) {
        $query = @('--query-gpu=name,memory.total,driver_version', '--format=csv,noheader,nounits')
        try {
            foreach ($row in @(Invoke-Native -Program 'nvidia-smi.exe' -Arguments $query)) {
                $cells = @($row -split ',' | ForEach-Object { $_.Trim() })
                $found += [pscustomobject]@{ name = $cells[0]; memory_mib = $cells[1]; driver = $cells[2] }
            }
        } catch {
            Write-Note "nvidia-smi does not answer ($($_.Exception.Message)) - reinstall the driver and restart."
        }
    }
    return $found
}

function Get-PythonPath {
    # The Store's placeholder is called python.exe too; only one that runs counts.
    $script = 'import sys; print(sys.executable); print(sys.version_info >= (3, 9))'
    foreach ($candidate in @('py', 'python', 'python3')) {
        if ($null -eq (Get-Command -Name $candidate -CommandType Application -ErrorAction SilentlyContinue)) {
            continue
        }
        $arguments = @('-c', $script)
        if ($candidate -eq 'py') {
            $arguments = @('-3') + $arguments
        }
        try {
            $answer = @(Invoke-Native -Program $candidate -Arguments $arguments)
        } catch {
            continue
        }
        if ($answer.Count -eq 2 -and $answer[1] -eq 'True') {
            return [string]$answer[0]
        }
    }
    return ''
}

function Test-DomainMember {
    return [bool](Get-CimInstance -ClassName Win32_ComputerSystem).PartOfDomain
}

function Get-SystemInformation {
    $system = Get-CimInstance -ClassName Win32_OperatingSystem
    $computer = Get-CimInstance -ClassName Win32_ComputerSystem
    $processor = @(Get-CimInstance -ClassName Win32_Processor)[0]
    $disk = Get-CimInstance -ClassName Win32_LogicalDisk -Filter "DeviceID='$env:SystemDrive'"
    $addresses = @(Get-NetIPAddress -AddressFamily IPv4 | Where-Object { $_.IPAddress -ne '127.0.0.1' })
    return [pscustomobject][ordered]@{
        computer = $env:COMPUTERNAME
        system = [string]$system.Caption
        build = [string]$system.BuildNumber
        powershell = [string]$PSVersionTable.PSVersion
        processor = [string]$processor.Name
        threads = [int]$computer.NumberOfLogicalProcessors
        memory_bytes = [long]$computer.TotalPhysicalMemory
        disk_free_bytes = [long]$disk.FreeSpace
        gpus = @(Get-GpuList)
        display_adapters = @(Get-CimInstance -ClassName Win32_VideoController | ForEach-Object { [string]$_.Name })
        python = Get-PythonPath
        addresses = @($addresses | ForEach-Object { [string]$_.IPAddress })
        collected = (Get-Date).ToString('o')
    }
}
